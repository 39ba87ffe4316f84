package main

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"sync-sidecar/compose"
	"sync-sidecar/runner"
)

// writeFiles writes the project's files. What is there and differs is named, all of it, and left alone unless that is forced.
func writeFiles(folder string, files map[string]compose.File, force bool) error {
	var differing []error
	for _, name := range slices.Sorted(maps.Keys(files)) {
		path := filepath.Join(folder, filepath.FromSlash(name))
		there, err := os.ReadFile(path)
		if err == nil && string(there) != string(files[name].Content) && !force {
			differing = append(differing, fmt.Errorf("%s is there and differs: --force replaces it", path))
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return withCode(exitEnvironment, err)
		}
	}
	if len(differing) > 0 {
		return withCode(exitUsage, errors.Join(differing...))
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		mode := compose.FolderMode
		if path.Dir(name) == compose.SecretsFolder {
			mode = compose.SecretMode
		}
		target := filepath.Join(folder, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(target), mode); err != nil {
			return withCode(exitEnvironment, err)
		}
		if err := os.WriteFile(target, files[name].Content, files[name].Mode); err != nil {
			return withCode(exitEnvironment, err)
		}
	}
	return nil
}

// tell says what was written and how to run it.
func (m *projectMode) tell(folder string, files map[string]compose.File, project compose.Project) error {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(files)) {
		note := ""
		if path.Dir(name) == compose.SecretsFolder {
			note = "    (not to be committed: .gitignore names it)"
		}
		fmt.Fprintf(&b, "%s%s\n", filepath.Join(folder, filepath.FromSlash(name)), note)
	}
	for _, name := range project.Config.Missing {
		fmt.Fprintf(&b, "\n%s is not set here: write its value to %s\n", name, filepath.Join(folder, compose.SecretsFolder, name))
	}
	if m.config == nil {
		fmt.Fprintf(&b, "\nNo --config was given: fill %s in; sync-sidecar run spec %s shows what it takes\n",
			filepath.Join(folder, "config", runner.ConfigFile), m.image)
	}
	fmt.Fprintf(&b, "\ncd %s && docker compose up --exit-code-from sidecar sidecar\n", folder)
	if _, err := fmt.Fprint(m.env.stdout, b.String()); err != nil {
		return withCode(exitEnvironment, fmt.Errorf("write what was done: %w", err))
	}
	return nil
}
