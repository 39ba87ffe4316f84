package runner

import (
	"strings"
	"testing"
	"time"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/shutdown"
)

func TestSplitImage(t *testing.T) {
	for image, want := range map[string][2]string{
		"airbyte/source-faker":             {"airbyte/source-faker", "latest"},
		"airbyte/source-faker:7.2.1":       {"airbyte/source-faker", "7.2.1"},
		"localhost:5000/x/source":          {"localhost:5000/x/source", "latest"},
		"localhost:5000/x/source:dev":      {"localhost:5000/x/source", "dev"},
		"airbyte/source-faker@sha256:beef": {"airbyte/source-faker", "sha256:beef"},
	} {
		if repository, version := SplitImage(image); repository != want[0] || version != want[1] {
			t.Errorf("%s is %q %q, want %q", image, repository, version, want)
		}
	}
}

func TestSyncIDFor(t *testing.T) {
	for _, test := range []struct {
		image   string
		program []string
		want    string
	}{
		{"registry:5000/airbyte/source-faker:dev", nil, "source-faker"},
		{"", []string{"/opt/bin/source-demo", "-v"}, "source-demo"},
		{"", []string{"./my source!"}, "my-source-"},
		{"", []string{"./.hidden"}, "hidden"},
		{"", []string{"/usr/bin/python3.11", "source/main.py"}, "main.py"},
		{"", []string{"sh", "-c", "exec source"}, "sh"},
		{"", []string{"python"}, "python"},
		{"", []string{"pythonic", "main.py"}, "pythonic"},
	} {
		got := SyncIDFor(test.image, test.program)
		if got != test.want {
			t.Errorf("%q %q gives %q, want %q", test.image, test.program, got, test.want)
		}
		if !syncIDPattern.MatchString(got) {
			t.Errorf("%q would be refused", got)
		}
	}
}

func TestValidateNamesEveryProblem(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*Task)
		want   []string
	}{
		{"all well", func(*Task) {}, nil},
		{"no connector", func(t *Task) { t.Image = "" }, []string{"--image", "--exec"}},
		{"two connectors", func(t *Task) { t.Program = []string{"x"} }, []string{"--image", "--exec"}},
		{"bad sync", func(t *Task) { t.SyncID = "../x" }, []string{"--sync-id"}},
		{"no config", func(t *Task) { t.Config = nil }, []string{"--config"}},
		{"no catalog", func(t *Task) { t.Catalog = nil }, []string{"--catalog"}},
		{"bad env", func(t *Task) { t.ConnectorEnv = []string{"=x"} }, []string{"--env"}},
		{"several", func(t *Task) { t.Config, t.SyncID = nil, "a b" }, []string{"--config", "--sync-id"}},
		{"spec needs no config", func(t *Task) { t.Command, t.Config = sidecar.CommandSpec, nil }, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			task := readTask()
			test.change(&task)
			err := task.Validate()
			if (err == nil) != (test.want == nil) {
				t.Fatalf("got %v, want %q", err, test.want)
			}
			for _, word := range test.want {
				if !strings.Contains(err.Error(), word) {
					t.Errorf("%q does not name %s", err, word)
				}
			}
		})
	}
}

func TestSidecarGraceOutlastsItsOwn(t *testing.T) {
	preset := shutdown.DefaultGrace
	for setting, own := range map[string]time.Duration{"": preset, "90s": 90 * time.Second, "nonsense": preset} {
		task := Task{Settings: map[string]string{"SHUTDOWN_GRACE": setting}}
		if got := task.SidecarGrace(); got <= own {
			t.Errorf("SHUTDOWN_GRACE=%q: %s is not longer than %s", setting, got, own)
		}
	}
}
