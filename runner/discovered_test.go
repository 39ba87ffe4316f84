package runner

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sync-sidecar/sidecar"
)

// knownEngine is an engine that can tell builds of a connector apart.
type knownEngine struct {
	fakeEngine
	build *string
}

// Identify implements Identifier.
func (k knownEngine) Identify(context.Context, Task, Watch) (string, error) { return *k.build, nil }

func TestDiscoveredStreamsAreUsedAgain(t *testing.T) {
	const fewer = `{"streams":[{"name":"users","json_schema":{},"supported_sync_modes":["full_refresh"]},
		{"name":"brand_new","json_schema":{},"supported_sync_modes":["full_refresh"]}]}`
	build, offered, readCode := "one", discovered, 0
	var notes []string
	engine := knownEngine{build: &build, fakeEngine: func(task Task) (Outcome, error) {
		if task.Command == sidecar.CommandDiscover {
			return Outcome{Report: sidecar.Report{Status: sidecar.StatusSuccess, Result: []byte(offered)}}, nil
		}
		if readCode != 0 {
			return Outcome{Report: sidecar.Report{Status: sidecar.StatusFailed}, Sidecar: Exit{Code: readCode}}, nil
		}
		return Outcome{Report: sidecar.Report{Status: sidecar.StatusSuccess}}, nil
	}}
	dir := t.TempDir()
	task := readTask()
	task.LocalDir, task.Catalog = dir, nil
	memory := filepath.Join(task.Folder(), discoveredFile)
	always := Selection{CatalogAge: time.Hour}
	for _, step := range []struct {
		name      string
		selection Selection
		change    func()
		commands  string // of the tasks that ran
		note      string // that is among what was said
	}{
		{"nothing is known", always, func() {}, "discover read", ""},
		{"known", always, func() {}, "read", "INFO reading the streams that were discovered 0s ago (--discover asks again)"},
		{"asked for", Selection{CatalogAge: time.Hour, Discover: true}, func() {}, "discover read", ""},
		{"too old", Selection{}, func() {}, "discover read", ""},
		{"another configuration", always, func() { task.Config = []byte(`{"key":"other"}`) }, "discover read", ""},
		{"another environment", always, func() { task.ConnectorEnv = append(task.ConnectorEnv, "A=b") }, "discover read", ""},
		{"another build", always, func() { build = "two" }, "discover read", ""},
		{"known again", always, func() {}, "read", ""},
		{"a damaged memory", always, func() {
			if err := os.WriteFile(memory, []byte("{"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, "discover read", ""},
		{"a stream that is not known", Selection{CatalogAge: time.Hour, Streams: []string{"brand_new"}}, func() { offered = fewer }, "discover read",
			`WARN stream "events" is no longer among those that the source has: what was read of it stays`},
		{"it is known now", Selection{CatalogAge: time.Hour, Streams: []string{"brand_new"}}, func() {}, "read", ""},
		{"the read fails", always, func() { readCode = sidecar.ExitFailed }, "read", "WARN the streams were discovered earlier"},
		{"so they are discovered again", always, func() { readCode = 0 }, "discover read", ""},
		{"run discover", always, func() { task.Command, offered = sidecar.CommandDiscover, discovered }, "discover", `INFO stream "events" is new`},
		{"is remembered", always, func() { task.Command = sidecar.CommandRead }, "read", ""},
		{"an engine that cannot tell", always, func() { build = "" }, "discover read", ""},
	} {
		step.change()
		notes = nil
		var ran []string
		counted := knownEngine{build: &build, fakeEngine: func(task Task) (Outcome, error) {
			ran = append(ran, string(task.Command))
			return engine.fakeEngine(task)
		}}
		watch := Watch{Event: func(e Event) { notes = append(notes, e.Log.Level+" "+e.Log.Message) }}
		if _, err := Run(t.Context(), counted, task, step.selection, watch); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		if got := strings.Join(ran, " "); got != step.commands {
			t.Errorf("%s: ran %s, want %s", step.name, got, step.commands)
		}
		if said := strings.Join(notes, "\n"); !strings.Contains(said, step.note) {
			t.Errorf("%s: said\n%s\nwant %s", step.name, said, step.note)
		}
	}
	if info, err := os.Stat(memory); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}
