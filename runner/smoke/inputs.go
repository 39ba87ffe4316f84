package smoke

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"sync-sidecar/sidecar/recording"
	"sync-sidecar/sidecar/secret"
)

// StepVariable is the variable by which a connector is told which step it runs in, so that a recording can be played in the same way.
const StepVariable = "SYNC_SIDECAR_SMOKE_STEP"

// Names of the files of a recorded smoke test, beside a folder for each command.
const (
	ConfigFile    = "config.json"
	BadConfigFile = "bad-config.json"
	CatalogFile   = "catalog.json" // configured
	BaselineFile  = "baseline.json"
	stateFile     = "state.json"
)

// keep writes what a command was given beside what it brought.
func (s *scenario) keep(folder string, p plan) error {
	var problems []error
	for name, content := range map[string][]byte{CatalogFile: p.catalog, stateFile: p.state} {
		if content != nil {
			problems = append(problems, os.WriteFile(filepath.Join(s.settings.Dir, folder, name), content, recordedFile))
		}
	}
	return errors.Join(problems...)
}

const (
	recordedFile fs.FileMode = 0o644
	recordedDir  fs.FileMode = 0o755
)

// Record copies the recordings of a smoke test from its folder to another one, with what it was given, without the secrets.
func (s *scenario) record(to string) error {
	if err := os.MkdirAll(to, recordedDir); err != nil {
		return fmt.Errorf("make the folder of the recording: %w", err)
	}
	baseline, err := json.MarshalIndent(Baseline{Spec: s.spec(), Catalog: s.catalog()}, "", "  ")
	if err != nil {
		return fmt.Errorf("write the baseline: %w", err)
	}
	for name, content := range map[string][]byte{ConfigFile: s.settings.Task.Config, BadConfigFile: s.settings.BadConfig, BaselineFile: baseline} {
		if content == nil {
			continue
		}
		if err := os.WriteFile(filepath.Join(to, name), []byte(s.masker.Mask(string(content))), recordedFile); err != nil {
			return fmt.Errorf("write the recording: %w", err)
		}
	}
	folders, err := os.ReadDir(s.settings.Dir)
	if err != nil {
		return fmt.Errorf("copy the recording: %w", err)
	}
	for _, folder := range folders {
		if !folder.IsDir() {
			continue
		}
		if err := copyMasked(filepath.Join(s.settings.Dir, folder.Name()), filepath.Join(to, folder.Name()), s.masker); err != nil {
			return fmt.Errorf("copy the recording: %w", err)
		}
	}
	return nil
}

// copyMasked copies one command.
func copyMasked(from, to string, masker *secret.Masker) error {
	summary, err := recording.Read(from)
	if errors.Is(err, fs.ErrNotExist) { // the recorder did not come so far
		return nil
	}
	if err != nil {
		return err
	}
	if err := os.MkdirAll(to, recordedDir); err != nil {
		return err
	}
	if err := maskOutput(from, to, recording.StdoutFile, masker, &summary); err != nil {
		return err
	}
	if err := maskOutput(from, to, recording.StderrFile, masker, nil); err != nil {
		return err
	}
	for _, name := range []string{CatalogFile, stateFile} {
		content, err := os.ReadFile(filepath.Join(from, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			//nolint:gosec // The names are ours, the folder the caller's.
			err = os.WriteFile(filepath.Join(to, name), []byte(masker.Mask(string(content))), recordedFile)
		}
		if err != nil {
			return err
		}
	}
	return summary.Write(to)
}

// maskOutput copies an output line by line. The moments of the summary move with what became shorter.
func maskOutput(from, to, name string, masker *secret.Masker, summary *recording.Recording) (err error) {
	source, err := recording.Output(from, name)
	if err != nil {
		return err
	}
	defer source.Close()
	target, err := os.OpenFile(filepath.Join(to, name), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, recordedFile)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, target.Close()) }()
	moments := momentsOf(summary)
	var before, after int64
	err = eachLine(source, func(line []byte) error {
		masked := line
		if text := string(line); strings.TrimSpace(text) != "" {
			masked = []byte(masker.Mask(text))
		}
		before, after = before+int64(len(line)), after+int64(len(masked))
		for len(moments) > 0 && *moments[0] <= before {
			*moments[0] = after
			moments = moments[1:]
		}
		_, err := target.Write(masked)
		return err
	})
	if summary != nil {
		summary.StdoutBytes = after
	}
	return err
}

// momentsOf are the places in stdout that a summary names, in order.
func momentsOf(summary *recording.Recording) []*int64 {
	if summary == nil {
		return nil
	}
	var all []*int64
	stop := summary.Stop
	for i := range summary.Marks {
		if stop != nil && stop.Bytes <= summary.Marks[i].Bytes {
			all, stop = append(all, &stop.Bytes), nil
		}
		all = append(all, &summary.Marks[i].Bytes)
	}
	if stop != nil {
		all = append(all, &stop.Bytes)
	}
	return all
}
