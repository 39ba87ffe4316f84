package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/docker/go-units"
	"github.com/urfave/cli/v2"

	"sync-sidecar/runner"
	"sync-sidecar/runner/smoke"
	"sync-sidecar/sidecar/document"
)

// smokeSettings are what the flags ask for. All that is wrong with them is in the error.
func (m *smokeMode) smokeSettings() (smoke.Settings, error) {
	c := m.cli
	task, err := m.task()
	problems := []error{err}
	settings := smoke.Settings{Task: task, Selection: m.selection(), Limit: c.Int64("limit"), Timeout: c.Duration("timeout"), Grace: c.Duration("grace"),
		Linger: linger, Jobs: c.Int("jobs"), RecordArgs: recordArgs, RecordTo: c.String("record"), Samples: c.Bool("html-samples"), Only: listed(c,
			"only"), Skip: listed(c, "skip")}
	if settings.Timeout <= 0 || settings.Limit < 0 || settings.Jobs < 1 {
		problems = append(problems, errors.New("--timeout has to be above zero, --limit 0 or more, --jobs 1 or more"))
	}
	for _, name := range slices.Concat(settings.Only, settings.Skip) {
		if !slices.ContainsFunc(smoke.Checks(), func(known smoke.Described) bool { return smoke.Matches(name, known.ID) }) {
			problems = append(problems, fmt.Errorf("no check is called %q: docs/smoke.md lists them, and `smoke --verbose` prints them", name))
		}
	}
	if size := c.String("max-memory"); size != "" {
		settings.MaxMemory, err = units.RAMInBytes(size)
		if err != nil || settings.MaxMemory <= 0 {
			problems = append(problems, fmt.Errorf("--max-memory %q: write a size as in 512m or 2g", size))
		}
	}
	if settings.BadConfig, err = m.optional("bad-config", runner.CheckObject); err != nil {
		problems = append(problems, err)
	}
	if settings.Task.Catalog, err = m.optional("catalog", runner.CheckCatalog); err != nil {
		problems = append(problems, err)
	} else if settings.Task.Catalog != nil {
		settings.Task.Catalog, _, err = runner.FilterConfigured(settings.Task.Catalog, settings.Selection)
		problems = append(problems, err)
	}
	settings.Baseline, err = baselineOf(c.String("baseline"))
	return settings, errors.Join(append(problems, err)...)
}

// linger is how long a connector may take to end after its last output.
const linger = 5 * time.Second

// optional is the document of a flag that need not be there.
func (m *smokeMode) optional(flag string, check func(string, []byte) error) ([]byte, error) {
	value := m.cli.String(flag)
	if value == "" {
		return nil, nil
	}
	name, content, err := m.document(flag, value)
	if err == nil {
		err = check(name, content)
	}
	if err == nil && flag == "bad-config" {
		return runner.Expand(name, content, m.lookupExpanded)
	}
	return content, err
}

// listed are the values of a flag that may be given several times, and separated by commas.
func listed(c *cli.Context, flag string) []string {
	var all []string
	for _, list := range c.StringSlice(flag) {
		for name := range strings.SplitSeq(list, ",") {
			if name = strings.TrimSpace(name); name != "" {
				all = append(all, name)
			}
		}
	}
	return all
}

// baselineOf reads a baseline: a file, or the folder of a recording.
func baselineOf(path string) (*smoke.Baseline, error) {
	if path == "" {
		return nil, nil //nolint:nilnil // none is what there may be
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		path = filepath.Join(path, smoke.BaselineFile)
	}
	content, err := document.Read(path)
	if err != nil {
		return nil, fmt.Errorf("--baseline: %w", err)
	}
	baseline, err := smoke.ParseBaseline(content)
	if err != nil {
		return nil, fmt.Errorf("--baseline: %s: %w", path, err)
	}
	return baseline, nil
}
