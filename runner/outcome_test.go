package runner

import (
	"strings"
	"testing"

	"sync-sidecar/sidecar"
)

func TestOutcome(t *testing.T) {
	for _, test := range []struct {
		name  string
		give  Outcome
		code  int
		cause []string // parts, in this order; none is no cause
	}{
		{"success", Outcome{Report: sidecar.Report{Status: sidecar.StatusSuccess}}, 0, nil},
		{"the sidecar's verdict", Outcome{Report: sidecar.Report{Status: sidecar.StatusPartial, Cause: "orders failed"}, Sidecar: Exit{Code: 4}}, 4,
			[]string{"orders failed"}},
		{"out of memory", Outcome{Report: sidecar.Report{Status: sidecar.StatusFailed, Cause: "killed by SIGKILL"}, Sidecar: Exit{Code: 1},
			Connector: Exit{Code: 137, OOMKilled: true, MemoryLimit: 64 << 20}}, 1,
			[]string{"out of memory (limit 64 MiB: raise it with --memory)", "SIGKILL"}},
		{"out of memory, and the Engine was not told", Outcome{Report: sidecar.Report{Status: sidecar.StatusFailed, OutOfMemory: true, Cause: "137"},
			Sidecar: Exit{Code: 1}, Connector: Exit{Code: 137, MemoryLimit: 64 << 20}}, 1,
			[]string{"out of memory (limit 64 MiB: raise it with --memory)", "137"}},
		{"out of memory, and exec was killed, too", Outcome{Report: sidecar.Report{Status: sidecar.StatusFailed, Cause: "137"},
			Sidecar: Exit{Code: 1}, Connector: Exit{Code: 137, MemoryLimit: 64 << 20}}, 1,
			[]string{"most likely since it ran out of memory (limit 64 MiB: raise it with --memory)", "137"}},
		{"killed by us", Outcome{Report: sidecar.Report{Status: sidecar.StatusFailed, Cause: "late"}, Sidecar: Exit{Code: 6},
			Connector: Exit{Code: 137, Stopped: true, MemoryLimit: 64 << 20}}, 6, []string{"late"}},
		{"out of the machine's memory", Outcome{Report: sidecar.Report{Status: sidecar.StatusFailed}, Sidecar: Exit{Code: 1},
			Connector: Exit{OOMKilled: true}}, 1, []string{"the machine's"}},
		{"the sidecar was killed", Outcome{Sidecar: Exit{Code: 137, OOMKilled: true}, LastLines: []string{"last words"}}, 3,
			[]string{"the sidecar ran out of memory", "without a verdict (exit code 137)", "last words"}},
		{"it crashed", Outcome{Sidecar: Exit{Code: 2}, LastLines: []string{"goroutine 1 [running]:"}}, 2, []string{"without a verdict", "goroutine"}},
		{"it ended by an error after its verdict", Outcome{Report: sidecar.Report{Status: sidecar.StatusSuccess}, Sidecar: Exit{Code: 3},
			Refusal: "close Postgres: gone"}, 3, []string{"close Postgres: gone"}},
		{"a sidecar of another version says nothing", Outcome{}, 3, []string{"without a verdict"}},
		{"no such program", Outcome{Report: sidecar.Report{Status: sidecar.StatusFailed, Cause: "exit code 127"}, Sidecar: Exit{Code: 1},
			Connector: Exit{Code: 127, NotRun: true, Message: "cannot run x"}}, 3, []string{"cannot run x"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if code := test.give.ExitCode(); code != test.code {
				t.Errorf("exit code %d, want %d", code, test.code)
			}
			cause := test.give.Cause()
			if (cause == "") != (test.cause == nil) {
				t.Errorf("cause is %q", cause)
			}
			at := 0
			for _, part := range test.cause {
				found := strings.Index(cause[at:], part)
				if found < 0 {
					t.Fatalf("%q does not have %q where it belongs", cause, part)
				}
				at += found
			}
		})
	}
}

// A refusal is the whole cause: that there is no verdict then, and that the connector was stopped, goes without saying.
func TestRefusalIsTheCause(t *testing.T) {
	const said = "BATCH_ROWS: -1 is less than 1"
	outcome := Outcome{Sidecar: Exit{Code: 2}, Refusal: said, LastLines: []string{"a warning"}, Connector: Exit{Code: 143, Stopped: true}}
	outcome.ConnectorEnded([]string{"sync-sidecar: SIGTERM came before the pipes were opened"})
	if cause := outcome.Cause(); cause != said || outcome.ExitCode() != 2 {
		t.Errorf("exit code %d, cause is %q", outcome.ExitCode(), cause)
	}
}

func TestCancelled(t *testing.T) {
	for name, test := range map[string]struct {
		give Outcome
		want bool
	}{
		"with a verdict":             {Outcome{Report: sidecar.Report{Status: sidecar.StatusCancelled}}, true},
		"before the session":         {Outcome{Sidecar: Exit{Code: 143}}, true},
		"killed":                     {Outcome{Sidecar: Exit{Code: 137}}, false},
		"failed by itself meanwhile": {Outcome{Report: sidecar.Report{Status: sidecar.StatusFailed}, Sidecar: Exit{Code: 1}}, false},
	} {
		if got := test.give.Cancelled(); got != test.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

func TestConnectorFailed(t *testing.T) {
	some := sidecar.Report{Status: sidecar.StatusPartial, Streams: []sidecar.StreamReport{{Read: 1}}}
	for name, test := range map[string]struct {
		give Outcome
		want bool
	}{
		"it ended badly":          {Outcome{Report: some, Sidecar: Exit{Code: 4}, Connector: Exit{Code: 1}}, true},
		"it was silent":           {Outcome{Report: sidecar.Report{Status: sidecar.StatusFailed}, Sidecar: Exit{Code: 1}}, true},
		"it was too slow":         {Outcome{Report: some, Sidecar: Exit{Code: 6}, Connector: Exit{Code: 143, Stopped: true}}, true},
		"its rows were refused":   {Outcome{Report: some, Sidecar: Exit{Code: 4}}, false},
		"it was stopped for that": {Outcome{Report: some, Sidecar: Exit{Code: 4}, Connector: Exit{Code: 143, Stopped: true}}, false},
		"cancelled":               {Outcome{Report: some, Sidecar: Exit{Code: 143}, Connector: Exit{Code: 143}}, false},
		"success":                 {Outcome{Report: some}, false},
		"check answered FAILED":   {Outcome{Report: sidecar.Report{Result: []byte(`{}`)}, Sidecar: Exit{Code: 5}}, false},
		"the machine failed":      {Outcome{Sidecar: Exit{Code: 3}}, false},
	} {
		if got := test.give.ConnectorFailed(); got != test.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

// Without an Engine nobody knows whose limit it was: the sidecar's own words are all there is to say.
func TestOutOfMemoryWithoutEngine(t *testing.T) {
	said := "the connector ran out of memory (exit code 137): raise its memory limit"
	report := sidecar.Report{Status: sidecar.StatusFailed, OutOfMemory: true, Cause: said}
	outcome := Outcome{Report: report, Sidecar: Exit{Code: 1}, Connector: Exit{Code: 137}}
	if cause := outcome.Cause(); cause != said {
		t.Errorf("cause is %q", cause)
	}
}

func TestConnectorEnded(t *testing.T) {
	const said = "sync-sidecar: cannot run x"
	for _, test := range []struct {
		name  string
		end   Exit // as the engine saw it
		lines []string
		want  Exit
	}{
		{"well", Exit{}, []string{said}, Exit{}},
		{"the shim failed", Exit{Code: 3}, []string{"noise", said}, Exit{Code: 3, Message: "cannot run x"}},
		{"not executable", Exit{Code: 126}, []string{said}, Exit{Code: 126, Message: "cannot run x", NotRun: true}},
		{"not found", Exit{Code: 127}, []string{said}, Exit{Code: 127, Message: "cannot run x", NotRun: true}},
		// A connector may itself end with 127: then the shim has nothing to say.
		{"the connector's own code", Exit{Code: 127}, nil, Exit{Code: 127}},
		{"stopped", Exit{Code: 143, Stopped: true}, []string{"sync-sidecar: SIGTERM came before the pipes were opened"}, Exit{Code: 143, Stopped: true}},
		{"it failed before it was stopped", Exit{Code: 127, Stopped: true}, []string{said}, Exit{Code: 127, Message: "cannot run x", NotRun: true}},
		{"it had ended before it could be stopped", Exit{Stopped: true}, nil, Exit{}},
	} {
		outcome := Outcome{Connector: test.end}
		outcome.ConnectorEnded(test.lines)
		if outcome.Connector != test.want {
			t.Errorf("%s: %+v, want %+v", test.name, outcome.Connector, test.want)
		}
	}
}
