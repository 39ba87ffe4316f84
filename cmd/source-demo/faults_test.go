package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// readWith runs `read` of twenty rows (2 products, 6 customers, 12 orders) as a process, with these faults.
func readWith(t *testing.T, faults string) result {
	t.Helper()
	return runProcess(t, readArgs(t, faults)...)
}

func readArgs(t *testing.T, faults string) []string {
	t.Helper()
	config := fmt.Sprintf(`{"count":20,"api_key":"hunter2","faults":%s}`, faults)
	return []string{"read", "--config", file(t, config), "--catalog", catalogFile(t, incremental, "updated_at", "")}
}

// TestFaults runs each fault and looks at what is left: the exit code, how many lines of which kind, and texts that must be there.
func TestFaults(t *testing.T) {
	const complete = `"status":"COMPLETE"`
	for _, test := range []struct {
		name, faults string
		code         int
		records      int            // lines that begin as records do
		counts       map[string]int // texts on stdout, and how often
		stderr       string
	}{
		{name: "none", faults: `{}`, records: 20, counts: map[string]int{complete: 3}},
		{name: "exit", faults: `{"exit_code":{"code":7,"after_row":8}}`, code: 7, records: 8, counts: map[string]int{complete: 1}},
		{name: "exit 0 though incomplete", faults: `{"exit_code":{"code":0,"stream":"orders","after_row":3}}`, records: 11,
			counts: map[string]int{complete: 2}},
		{name: "exit before anything", faults: `{"exit_code":{}}`, code: 1},
		{name: "exit after the last row", faults: `{"exit_code":{"stream":"orders","after_row":12}}`, code: 1, records: 20,
			counts: map[string]int{complete: 2}},
		{name: "kill", faults: `{"kill_self":{"after_row":10}}`, code: 137, records: 10},
		{name: "terminate itself", faults: `{"kill_self":{"after_row":10,"signal":"TERM"}}`, code: 143, records: 10,
			counts: map[string]int{`"status":"INCOMPLETE"`: 1, `"recordCount":2.0`: 2}},
		{name: "hang up", faults: `{"kill_self":{"signal":"HUP"}}`, code: 129},
		{name: "cut last line", faults: `{"cut_last_line":{"after_row":10,"code":0}}`, records: 11, counts: map[string]int{complete: 2}},
		{name: "error of a stream", faults: `{"error_trace":{"stream":"products","after_row":1,"message":"no products","failure_type":"transient_error"}}`,
			code: 1, records: 19, counts: map[string]int{complete: 2, `"status":"INCOMPLETE"`: 1, `"message":"no products"`: 1,
				`"failure_type":"transient_error","stream_descriptor":{"name":"products"}`: 1, "did not sync successfully: products: no products": 1}},
		{name: "error and exit 0", faults: `{"error_trace":{"stream":"products","code":0}}`, records: 18, counts: map[string]int{`"type":"ERROR"`: 2}},
		{name: "global error", faults: `{"error_trace":{"global":true,"after_row":9}}`, code: 1, records: 9,
			counts: map[string]int{`"type":"ERROR"`: 1, `"level":"FATAL"`: 1, `"stream_descriptor":{"name":"orders"},"status"`: 2}},
		{name: "wrong type", faults: `{"wrong_type":{"after_row":2}}`, records: 20, counts: map[string]int{`:"a text"`: 1}},
		{name: "undeclared field", faults: `{"undeclared_field":{}}`, records: 20, counts: map[string]int{`"odd_field":`: 1}},
		{name: "no key", faults: `{"null_key":{"every":5}}`, records: 20, counts: map[string]int{`"data":{"id":null,`: 4}},
		{name: "no cursor", faults: `{"null_cursor":{}}`, records: 20, counts: map[string]int{`"updated_at":null`: 1}},
		{name: "record twice", faults: `{"repeated_row":{}}`, records: 21, counts: map[string]int{`"recordCount":7.0`: 1}},
		{name: "seconds", faults: `{"emitted_seconds":{}}`, records: 20, counts: map[string]int{complete: 3}},
		{name: "no STARTED", faults: `{"deviation":"no_started"}`, records: 20, counts: map[string]int{`"status":"STARTED"`: 0, complete: 3}},
		{name: "no COMPLETE", faults: `{"deviation":"no_complete"}`, records: 20, counts: map[string]int{complete: 2}},
		{name: "silence", faults: `{"silence":{"after_row":3,"seconds":0.05}}`, records: 20},
		{name: "rate limit", faults: `{"rate_limited":{"stream":"orders","after_row":3,"seconds":0.05}}`, records: 20,
			counts: map[string]int{`"status":"RUNNING","reasons":[{"type":"RATE_LIMITED","rate_limited":{"quota_reset":`: 1}},
		{name: "close stdout", faults: `{"close_stdout":{"after_row":9,"seconds":0.05,"code":3}}`, code: 3, records: 9},
		{name: "text on stdout", faults: `{"stdout_text":{"text":"{not a message}","lines":3,"after_row":2,"every":5}}`, records: 20,
			counts: map[string]int{"\n{not a message}\n{not a message}\n{not a message}\n": 4}},
		{name: "text on stderr", faults: `{"stderr_text":{"text":"beware","lines":2}}`, records: 20, stderr: "beware\nbeware\n"},
		{name: "flood on stderr", faults: `{"stderr_flood":{"bytes":300000}}`, records: 20, stderr: strings.Repeat("flood ", 20)},
		{name: "broken line", faults: `{"broken_line":{"after_row":3}}`, records: 20, counts: map[string]int{"\"id\":4,": 2, `"recordCount":6.0`: 1}},
		{name: "joined lines", faults: `{"joined_lines":{"after_row":1,"lines":3}}`, records: 18, counts: map[string]int{`}}{"type":"RECORD"`: 2}},
		{name: "huge row", faults: `{"huge_row":{"bytes":3000000}}`, records: 20, counts: map[string]int{`"data":{"huge":"huge row huge row`: 1}},
		{name: "NaN", faults: `{"non_finite":{}}`, records: 20, counts: map[string]int{`"data":{"odd_number":NaN,`: 1, "-Infinity]": 1}},
		{name: "invalid UTF-8", faults: `{"invalid_utf8":{}}`, records: 20, counts: map[string]int{"\xff \xed\xa0\x80 caf\xe9": 1}},
		{name: "NUL", faults: `{"nul":{}}`, records: 20, counts: map[string]int{`a\u0000b`: 1}},
		{name: "surrogates", faults: `{"lone_surrogate":{}}`, records: 20, counts: map[string]int{`a\ud800b\udc00`: 1}},
		{name: "two at one row", faults: `{"nul":{"after_row":4},"non_finite":{"after_row":4}}`, records: 20,
			counts: map[string]int{`"data":{"odd_nul":"a\u0000b","odd_number":NaN`: 1}},
		{name: "escaped keys", faults: `{"escaped_keys":{"after_row":4}}`, records: 19,
			counts: map[string]int{"\n" + ` { "record" : {"data":{"dropped":true}`: 1}},
		{name: "file", faults: `{"file_record":{"after_row":4}}`, records: 20, counts: map[string]int{`,"file_reference":{"staging_file_url":`: 1}},
		{name: "internal message", faults: `{"error_trace":{"stream":"products","message":"see the logs","internal_message":"quota exceeded"}}`,
			code: 1, records: 18, counts: map[string]int{`"message":"see the logs","internal_message":"quota exceeded"`: 1}},
		{name: "unknown stream", faults: `{"unknown_stream":{"rows":3,"name":"ghosts"}}`, records: 23, counts: map[string]int{`"stream":"ghosts"`: 3}},
		{name: "unknown types", faults: `{"unknown_types":{}}`, records: 20, counts: map[string]int{`{"type":"FANCY"`: 1, "\n42\n": 1}},
		{name: "empty payloads", faults: `{"empty_payloads":{}}`, records: 23, counts: map[string]int{"{\"type\":\"STATE\",\"state\":null}\n": 1}},
		{name: "log levels", faults: `{"log_levels":{}}`, records: 20,
			counts: map[string]int{`"level":"FATAL"`: 1, `"level":"TRACE"`: 1, `\nValueError`: 1}},
		{name: "leaked secret", faults: `{"log_secret":{}}`, records: 20, counts: map[string]int{"hunter2": 3}, stderr: "Bearer hunter2\n"},
		{name: "wrong stats", faults: `{"wrong_stats":{"by":-2,"stream":"orders"}}`, records: 20, counts: map[string]int{`"recordCount":10.0`: 1}},
		{name: "late crash", faults: `{"crash_after_complete":9}`, code: 9, records: 20, counts: map[string]int{complete: 3}},
		{name: "hang after EOF", faults: `{"hang_after_eof":0.05}`, records: 20, counts: map[string]int{complete: 3}},
		{name: "repeated states", faults: `{"repeat_states":true}`, records: 20, counts: map[string]int{`{"type":"STATE"`: 6}},
		{name: "late states", faults: `{"late_states":true}`, records: 20, counts: map[string]int{complete + "}}}\n{\"type\":\"STATE\"": 3}},
		{name: "not in check's name", faults: `{"exit_code":{"command":"check"}}`, records: 20},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := readWith(t, test.faults)
			if got.code != test.code {
				t.Errorf("exit code %d, want %d; stderr %q", got.code, test.code, got.stderr)
			}
			if records := strings.Count("\n"+got.stdout, "\n"+`{"type":"RECORD"`); records != test.records {
				t.Errorf("%d records, want %d", records, test.records)
			}
			for text, times := range test.counts {
				if count := strings.Count(got.stdout, text); count != times {
					t.Errorf("%q is there %d times, want %d", text, count, times)
				}
			}
			if !strings.Contains(got.stderr, test.stderr) || (test.stderr == "") != (got.stderr == "") {
				t.Errorf("stderr %.200q, want %.200q", got.stderr, test.stderr)
			}
		})
	}
}

// TestCutLine: the last line ends in the middle and has no line feed.
func TestCutLine(t *testing.T) {
	got := readWith(t, `{"cut_last_line":{"after_row":10}}`)
	if got.code != 1 || strings.HasSuffix(got.stdout, "\n") || strings.HasSuffix(got.stdout, "}") {
		t.Errorf("exit code %d, end %q", got.code, got.stdout[len(got.stdout)-20:])
	}
}

// TestAnswerFaults: in spec, check and discover faults strike before the result or after it.
func TestAnswerFaults(t *testing.T) {
	for _, test := range []struct {
		name, command, faults string
		code                  int
		result                bool
		text                  string
	}{
		{name: "result and a bad exit code", command: "check", faults: `{"exit_code":{"command":"check","after_row":1,"code":3}}`, code: 3, result: true},
		{name: "exit 0 without a result", command: "check", faults: `{"exit_code":{"command":"check","code":0}}`},
		{name: "error without a result", command: "discover", faults: `{"error_trace":{"command":"discover"}}`, code: 1, text: `"type":"ERROR"`},
		{name: "failed check", command: "check", faults: `{"check_failed":"no route to host"}`, result: true,
			text: `"FAILED","message":"no route to host"`},
		{name: "prose", command: "discover", faults: `{"stdout_text":{"command":"discover","text":"loading"}}`, result: true, text: "loading\n"},
		{name: "killed spec", command: "spec", faults: `{"kill_self":{"command":"spec"}}`, code: 137},
		{name: "row faults do nothing", command: "spec", faults: `{"nul":{"command":"spec"},"joined_lines":{"command":"spec"}}`, result: true},
		{name: "cut", command: "spec", faults: `{"cut_last_line":{"command":"spec","code":4}}`, code: 4},
	} {
		t.Run(test.name, func(t *testing.T) {
			args := []string{test.command}
			if test.command == commandSpec {
				t.Setenv("SOURCE_DEMO_SPEC_CONFIG", `{"faults":`+test.faults+`}`)
			} else {
				args = append(args, "--config", file(t, `{"faults":`+test.faults+`}`))
			}
			got := runProcess(t, args...)
			kind := map[string]string{"spec": `"SPEC"`, "check": `"CONNECTION_STATUS"`, "discover": `"CATALOG"`}[test.command]
			if got.code != test.code || strings.Contains(got.stdout, kind) != test.result || !strings.Contains(got.stdout, test.text) {
				t.Errorf("exit code %d, want %d; result %t wanted, %q wanted in:\n%s", got.code, test.code, test.result, test.text, got.stdout)
			}
		})
	}
}

// TestTerminate stops a source in the middle of an endless read: it ends with a state that covers its rows.
func TestTerminate(t *testing.T) {
	config := file(t, `{"count":4000000000,"rate":1000,"records_per_state":1000000}`)
	source := process(t, "read", "--config", config, "--catalog", catalogFile(t, incremental, "id", ""))
	pipe, err := source.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := source.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(pipe)
	var stdout strings.Builder
	for !strings.Contains(stdout.String(), `"RECORD"`) {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		stdout.WriteString(line)
	}
	if err := source.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(&stdout, lines); err != nil {
		t.Fatal(err)
	}
	if err := source.Wait(); err == nil || exitCode(t, source) != 143 {
		t.Errorf("exit code %d, want 143 (%v)", exitCode(t, source), err)
	}
	all := messages(t, stdout.String())
	read := len(rows(all))
	last := all[len(all)-2:]
	if last[0].State == nil || last[0].State.Stats.RecordCount != float64(read) || !strings.Contains(last[0].raw, fmt.Sprintf(`{"id":%d}`, read)) {
		t.Errorf("after %d rows the last state is %s", read, last[0].raw)
	}
	if last[1].Trace == nil || last[1].Trace.StreamStatus.Status != statusIncomplete {
		t.Errorf("the last message is %s", last[1].raw)
	}
}

// TestIgnoreTerminate: with ignore_sigterm the source reads on.
func TestIgnoreTerminate(t *testing.T) {
	got := readWith(t, `{"ignore_sigterm":true,"kill_self":{"signal":"TERM","after_row":2}}`)
	// kill_self exits by itself when the signal did nothing.
	if got.code != 143 || strings.Contains(got.stdout, "stopped by signal") {
		t.Errorf("exit code %d:\n%s", got.code, got.stdout)
	}
}

// TestBrokenPipe: a reader that goes away is named.
func TestBrokenPipe(t *testing.T) {
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	source := process(t, "read", "--config", file(t, `{"count":1000000}`), "--catalog", catalogFile(t, incremental, "id", ""))
	var stderr bytes.Buffer
	source.Stdout, source.Stderr = writer, &stderr
	if err := source.Start(); err != nil {
		t.Fatal(err)
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(reader, make([]byte, 1000)); err != nil {
		t.Fatal(err)
	}
	if err := reader.Close(); err != nil {
		t.Fatal(err)
	}
	if err := source.Wait(); err == nil || exitCode(t, source) != 1 || !strings.Contains(stderr.String(), "broken pipe") {
		t.Errorf("exit code %d, stderr %q (%v)", exitCode(t, source), stderr.String(), err)
	}
}

// TestGrandchild: stdout stays open after the source's end, and is closed in the end.
func TestGrandchild(t *testing.T) {
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	source := process(t, readArgs(t, `{"grandchild":{"seconds":3}}`)...)
	source.Stdout = writer
	if err := source.Start(); err != nil {
		t.Fatal(err)
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	if err := source.Wait(); err != nil {
		t.Fatal(err)
	}
	if err := reader.SetReadDeadline(time.Now().Add(500 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	stdout, err := io.ReadAll(reader)
	if !errors.Is(err, os.ErrDeadlineExceeded) || !strings.Contains(string(stdout), "Finished syncing") {
		t.Errorf("%d bytes, then %v, want the whole transcript and an open pipe", len(stdout), err)
	}
	if err := reader.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if rest, err := io.ReadAll(reader); err != nil || len(rest) > 0 {
		t.Errorf("after the source %d bytes and %v, want the end", len(rest), err)
	}
}

// TestOddStates: a token that comes back changed is noticed.
func TestOddStates(t *testing.T) {
	args := readArgs(t, `{"odd_states":true}`)
	state := func(token string) string {
		return file(t, `[{"type":"STREAM","stream":{"stream_descriptor":{"name":"orders"},"stream_state":{"token":`+
			token+`,"updated_at":"2020-01-01T00:00:05Z"}}}]`)
	}
	if got := runProcess(t, append(args, "--state", state(`"a\u0000b\uD800c"`))...); got.code != 0 {
		t.Errorf("exit code %d:\n%s", got.code, got.stdout)
	}
	got := runProcess(t, append(args, "--state", state("\"a\ufffdb\ufffdc\""))...)
	if got.code != 1 || !strings.Contains(got.stdout, "token: came back as") {
		t.Errorf("exit code %d:\n%s", got.code, got.stdout)
	}
}
