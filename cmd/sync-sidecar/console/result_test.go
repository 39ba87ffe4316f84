package console

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"

	"sync-sidecar/runner"
	"sync-sidecar/sidecar"
)

func TestVisible(t *testing.T) {
	t.Parallel()
	for give, want := range map[string]string{
		"orders": "orders", "Aufträge 注文 🛒 👩‍💻": "Aufträge 注文 🛒 👩‍💻", "\tat a": "    at a", "a\nb\rc": `a\nb\rc`, "\x1b]52;c;eA==\a": `\x1b]52;c;eA==\x07`,
		"nul\x00c1\u0085": `nul\x00c1\u0085`, "fdp\u202etxt": `fdp\u202etxt`, "\u2066i\u2069": `\u2066i\u2069`, "line\u2028end": `line\u2028end`,
		"not UTF-8 \xff\x1b": `not UTF-8 \xff\x1b`, "\x9b2J\u009b2J": `\x9b2J\u009b2J`, "ad\u200dmin\U000e0041": `ad\u200dmin\U000e0041`,
	} {
		if got := visible(give); got != want {
			t.Errorf("%q is %q, want %q", give, got, want)
		}
	}
	if got := Line("a\nb\x1b\n"); got != `a; b\x1b` {
		t.Errorf("on one line: %q", got)
	}
}

// nasty is what a connector may call a thing.
const nasty = "a\x1b[2J\nb\tc"

func nastyRead() Result {
	streams := []sidecar.StreamReport{
		{Stream: nasty, Status: sidecar.StatusFailed, Error: nasty, Rows: 1234}, {Stream: "plain", Status: sidecar.StatusSuccess},
	}
	report := sidecar.Report{Command: sidecar.CommandRead, Status: sidecar.StatusPartial, Streams: streams, Warnings: []string{nasty, "careful"},
		Defects: map[string]int64{"broken_line": 2}, Cause: nasty}
	return Result{Command: sidecar.CommandRead, Outcome: runner.Outcome{Report: report, Sidecar: runner.Exit{Code: 4}}, Place: "/here"}
}

func TestTableOfARead(t *testing.T) {
	t.Parallel()
	var text bytes.Buffer
	if err := nastyRead().WriteTable(&text); err != nil {
		t.Fatal(err)
	}
	const want = `  stream             rows  bytes  time   status
  a\x1b[2J\nb    c  1,234    0 B    0s   FAILED
  plain                 0    0 B    0s  SUCCESS
  total             1,234    0 B    0s  PARTIAL
damaged output of the connector: 2 broken line
a\x1b[2J\nb    c: a\x1b[2J\nb    c
warning: a\x1b[2J\nb    c
warning: careful
rows in /here
`
	if text.String() != want {
		t.Errorf("got\n%s\nwant\n%s", text.String(), want)
	}
}

func TestJSONOfAReadIsTheReport(t *testing.T) {
	t.Parallel()
	var text bytes.Buffer
	if err := nastyRead().WriteReport(&text); err != nil {
		t.Fatal(err)
	}
	var report sidecar.Report
	if err := json.Unmarshal(text.Bytes(), &report); err != nil || report.ExitCode != 4 || report.Cause != nasty || len(report.Warnings) != 2 {
		t.Errorf("%v: %s", err, text.String())
	}
}

// JSON escapes only ASCII's control characters by itself, and a connector's own document may hold others as they are.
func TestJSONHoldsNothingThatATerminalObeys(t *testing.T) {
	t.Parallel()
	const nasty = "a\u009b2J\u202e\x7f"
	read := nastyRead()
	read.Outcome.Report.Streams[0].Error = nasty
	discover := Result{Command: sidecar.CommandDiscover,
		Outcome: runner.Outcome{Report: sidecar.Report{Result: json.RawMessage(`{"streams":["` + nasty + `"]}`)}}}
	for command, write := range map[string]func(io.Writer) error{
		"read": read.WriteReport, "discover": discover.WriteJSON, "events": func(w io.Writer) error { return NewEvents(w).Report(read) },
	} {
		var text bytes.Buffer
		if err := write(&text); err != nil {
			t.Fatal(err)
		}
		if strings.ContainsAny(text.String(), nasty[1:3]+"\u202e\x7f") || !strings.Contains(text.String(), `a\u009b2J\u202e\u007f`) {
			t.Errorf("%s: %q", command, text.String())
		}
	}
}

func TestTablesOfOtherCommandsShowNoControlCharacters(t *testing.T) {
	t.Parallel()
	text, err := json.Marshal(nasty)
	if err != nil {
		t.Fatal(err)
	}
	for command, answer := range map[sidecar.Command]string{
		sidecar.CommandCheck: `{"status":"FAILED","message":N}`,
		sidecar.CommandDiscover: `{"streams":[{"name":N,"namespace":N,"json_schema":{},"supported_sync_modes":[N],"default_cursor_field":[N],` +
			`"source_defined_primary_key":[[N]]}]}`,
		sidecar.CommandSpec: `{"documentationUrl":N,"connectionSpecification":{"properties":{N:{"type":[N],"description":N,"default":N},` +
			`"z":{"type":N,"default":[N]}}}}`,
	} {
		report := sidecar.Report{Command: command, Status: sidecar.StatusSuccess, Result: []byte(strings.ReplaceAll(answer, "N", string(text)))}
		var shown bytes.Buffer
		if err := (Result{Command: command, Outcome: runner.Outcome{Report: report}}).WriteTable(&shown); err != nil {
			t.Fatalf("%s: %v", command, err)
		}
		if strings.Contains(shown.String(), "\x1b") || strings.Contains(shown.String(), "\nb") || !strings.Contains(shown.String(), `\x1b[2J`) {
			t.Errorf("%s: %q", command, shown.String())
		}
	}
}

func TestLastWords(t *testing.T) {
	t.Parallel()
	failed := runner.Outcome{Report: sidecar.Report{Status: sidecar.StatusFailed}, Sidecar: runner.Exit{Code: 1}, LastWords: []string{"  File x", nasty}}
	silent, fine := failed, failed
	silent.LastWords, fine.Sidecar.Code = nil, 0
	for _, test := range []struct {
		name           string
		give           runner.Outcome
		quiet, verbose bool
		want           string
	}{
		{"it failed", failed, false, false, "the last that the connector said:\n      File x\n    a\\x1b[2J\\nb    c\n"},
		{"nothing was said", silent, false, false, ""}, {"it did well", fine, false, false, ""}, {"quiet", failed, true, false, ""},
		{"all was shown already", failed, false, true, ""},
	} {
		var out bytes.Buffer
		view := NewView(&out, Options{Quiet: test.quiet, Verbose: test.verbose})
		view.LastWords(test.give)
		view.Close(time.Minute)
		if out.String() != test.want {
			t.Errorf("%s: %q, want %q", test.name, out.String(), test.want)
		}
	}
}
