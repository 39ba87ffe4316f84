package shim

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// defaultPath is searched when the environment has no PATH: Docker's own default.
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// lookPath finds a program as a shell does, but in the PATH of the given environment (exec.LookPath knows only our own). The error carries
// exit code 127 or 126.
func lookPath(name string, env []string) (string, error) {
	if strings.Contains(name, "/") {
		return name, executable(name)
	}
	path := variable(env, "PATH", defaultPath)
	var refused error
	for _, folder := range filepath.SplitList(path) {
		candidate := filepath.Join(folder, name)
		err := executable(candidate)
		if err == nil {
			return candidate, nil
		}
		if _, statErr := os.Stat(candidate); statErr == nil && refused == nil {
			refused = err
		}
	}
	if refused != nil {
		return "", refused
	}
	return "", notFound(fmt.Errorf("cannot run %q: no such program in PATH (%s)%s", name, shortPath(path), beside(name)))
}

// shortPath is a PATH as far as it fits into a line.
func shortPath(path string) string {
	const longest = 100
	if len(path) <= longest {
		return path
	}
	return fmt.Sprintf("%d folders", len(filepath.SplitList(path)))
}

// beside says how to run the program of that name in the working folder, where there is one: as in a shell, its name alone does not.
func beside(name string) string {
	if info, err := os.Stat(name); err != nil || !info.Mode().IsRegular() {
		return ""
	}
	return "; to run the file in the working folder, write ./" + name
}

// executable says why a file cannot be run.
func executable(path string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return notFound(fmt.Errorf("cannot run %s: no such file", path))
	case err != nil:
		return notExecutable(fmt.Errorf("cannot run: %w", err))
	case info.IsDir():
		return notExecutable(fmt.Errorf("cannot run %s: it is a folder", path))
	}
	if err := unix.Access(path, unix.X_OK); err != nil {
		return notExecutable(fmt.Errorf("cannot run %s as user %d: %w (mode %#o): make it executable (chmod +x)",
			path, os.Getuid(), err, info.Mode().Perm()))
	}
	return nil
}

// variable is the value of an environment variable; the last setting counts, as os/exec has it.
func variable(env []string, name, fallback string) string {
	for at := len(env) - 1; at >= 0; at-- {
		if value, ok := strings.CutPrefix(env[at], name+"="); ok {
			return value
		}
	}
	return fallback
}
