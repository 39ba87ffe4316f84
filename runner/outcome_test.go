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
		{"out of the machine's memory", Outcome{Report: sidecar.Report{Status: sidecar.StatusFailed}, Sidecar: Exit{Code: 1},
			Connector: Exit{OOMKilled: true}}, 1, []string{"the machine's"}},
		{"the sidecar was killed", Outcome{Sidecar: Exit{Code: 137, OOMKilled: true}, LastLines: []string{"last words"}}, 3,
			[]string{"the sidecar ran out of memory", "without a verdict (exit code 137)", "last words"}},
		{"the sidecar refused its settings", Outcome{Sidecar: Exit{Code: 2}, LastLines: []string{"BATCH_ROWS: -1"}}, 2, []string{"BATCH_ROWS"}},
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

// Without an Engine nobody knows whose limit it was: the sidecar's own words are all there is to say.
func TestOutOfMemoryWithoutEngine(t *testing.T) {
	said := "the connector ran out of memory (exit code 137): raise its memory limit"
	report := sidecar.Report{Status: sidecar.StatusFailed, OutOfMemory: true, Cause: said}
	outcome := Outcome{Report: report, Sidecar: Exit{Code: 1}, Connector: Exit{Code: 137}}
	if cause := outcome.Cause(); cause != said {
		t.Errorf("cause is %q", cause)
	}
}

func TestShimSaid(t *testing.T) {
	said := []string{"sync-sidecar: cannot run x"}
	for code, notRun := range map[int]bool{0: false, 1: false, 126: true, 127: true} {
		exit := Exit{Code: code}
		exit.ShimSaid(said)
		if exit.NotRun != notRun || (code != 0) != (exit.Message == "cannot run x") {
			t.Errorf("code %d: %+v", code, exit)
		}
	}
	// A connector may itself end with 127: then the shim has nothing to say.
	silent := Exit{Code: 127}
	silent.ShimSaid(nil)
	if silent.NotRun {
		t.Error("a connector that ran is taken for one that did not")
	}
}
