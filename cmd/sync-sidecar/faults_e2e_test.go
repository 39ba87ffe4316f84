package main

import (
	"maps"
	"strings"
	"testing"
)

// faultCase is a fault of the demo source, which has 30 customers and 250 orders, and what must become of it. Every case is run as upstream's
// pods are, without an exit status, and with the shim.
type faultCase struct {
	faults  string
	config  string // more of it
	code    int
	status  string
	events  map[string]int64 // rows in the task's description; customers are 30 when not named
	defects map[string]int64 // of orders, in the task's description
	words   []string         // on stderr
	// plain overrides code and status where there is no exit status.
	plainCode   int
	plainStatus string
}

// faultCases are the faults that end with a good sync all the same, and those that do not.
func faultCases() map[string]faultCase {
	return map[string]faultCase{
		"prose on stdout":   good(`"stdout_text":{"stream":"orders","after_row":10,"lines":20}`, nil, "JAVA_TOOL_OPTIONS"),
		"a blank line":      good(`"stdout_text":{"stream":"orders","after_row":10,"text":"","lines":3}`, nil),
		"prose on stderr":   good(`"stderr_text":{"stream":"orders","after_row":10}`, nil, "the demo database is old"),
		"a flood on stderr": good(`"stderr_flood":{"stream":"orders","after_row":10,"bytes":3000000}`, nil),
		"levels":            good(`"log_levels":{}`, nil, "ERR sync-sidecar/source-demo a ERROR message, 100% harmless: %s %d"),
		"joined lines": good(`"joined_lines":{"stream":"orders","after_row":10,"lines":3}`, map[string]int64{"joined_line": 1},
			"by kind: joined_line 1"),
		"escaped keys":   good(`"escaped_keys":{"stream":"orders","after_row":10}`, nil),
		"NUL":            good(`"nul":{"stream":"orders","after_row":10}`, nil),
		"lone surrogate": good(`"lone_surrogate":{"stream":"orders","after_row":10}`, nil),
		"invalid UTF-8":  good(`"invalid_utf8":{"stream":"orders","after_row":10}`, map[string]int64{"invalid_utf8": 1}),
		"NaN":            good(`"non_finite":{"stream":"orders","after_row":10}`, map[string]int64{"non_finite": 1}),
		"unknown stream": good(`"unknown_stream":{"stream":"orders","after_row":10,"rows":3}`, nil,
			`"unknown_stream", which is not in the catalog`, "unknown_stream 3"),
		"unknown types":   good(`"unknown_types":{"stream":"orders","after_row":10}`, nil, "FANCY"),
		"odd states":      good(`"odd_states":true`, nil),
		"repeated states": good(`"repeat_states":true`, nil),
		"late states":     good(`"late_states":true`, nil),
		"a grandchild":    good(`"grandchild":{"stream":"orders","after_row":10,"seconds":0.5}`, nil),
		"rate limit":      good(`"rate_limited":{"stream":"orders","after_row":10,"seconds":0.3}`, nil, "rate-limited until"),
		"silence":         good(`"silence":{"stream":"orders","after_row":10,"seconds":0.3}`, nil),
		"an early end":    good(`"hang_after_eof":0.3`, nil),

		"killed": {faults: `"kill_self":{"stream":"orders","after_row":150}`, code: exitPartial, status: "PARTIAL",
			events: map[string]int64{"orders": 150}, words: []string{"orders"}},
		"exits": {faults: `"exit_code":{"stream":"orders","after_row":150,"code":7}`, code: exitPartial, status: "PARTIAL",
			events: map[string]int64{"orders": 150}},
		"exits with 0": {faults: `"exit_code":{"stream":"orders","after_row":150,"code":0}`, code: exitPartial, status: "PARTIAL",
			events: map[string]int64{"orders": 150}, words: []string{"before this stream was complete"}},
		"an error of a stream": {faults: `"error_trace":{"stream":"orders","after_row":150,"message":"quota used up"}`, code: exitPartial,
			status: "PARTIAL", events: map[string]int64{"orders": 150}, words: []string{`stream "orders": quota used up`}},
		"an error of all": {faults: `"error_trace":{"global":true,"message":"quota used up"}`, code: exitFailed, status: "FAILED",
			events: map[string]int64{"customers": 0, "orders": 0}, words: []string{"quota used up"}},
		"a broken line": {faults: `"broken_line":{"stream":"orders","after_row":150}`, code: exitPartial, status: "PARTIAL",
			events: map[string]int64{"orders": 249}, defects: map[string]int64{"broken_line": 1}, words: []string{`stream "orders"`}},
		"half a line": {faults: `"cut_last_line":{"stream":"orders","after_row":150}`, code: exitPartial, status: "PARTIAL",
			events: map[string]int64{"orders": 150}, defects: map[string]int64{"cut_line": 1}},
		"empty payloads": {faults: `"empty_payloads":{"stream":"orders","after_row":150}`, code: exitPartial, status: "PARTIAL",
			events: map[string]int64{"orders": 250}, defects: map[string]int64{"bad_payload": 1}, words: []string{"by kind: bad_payload 13"}},
		"wrong counts": {faults: `"wrong_stats":{"stream":"orders","after_row":150,"by":1}`, code: exitPartial, status: "PARTIAL",
			events: map[string]int64{"orders": 250},
			words:  []string{`stream "orders": the connector says that it sent 101 rows between two states, 100 arrived`}},
		"a closed stdout": {faults: `"close_stdout":{"stream":"orders","after_row":150,"seconds":0.2}`, code: exitPartial, status: "PARTIAL",
			events: map[string]int64{"orders": 150}},
		"a late crash": {faults: `"crash_after_complete":9`, code: exitPartial, status: "PARTIAL", events: map[string]int64{"orders": 250},
			words: []string{"exited with code 9"}, plainCode: exitOK, plainStatus: "SUCCESS"},
		"a late crash without statuses": {faults: `"crash_after_complete":9`, config: `"no_statuses":true,`, code: exitPartial, status: "PARTIAL",
			events: map[string]int64{"orders": 250}, words: []string{"exited with code 9"}, plainCode: exitOK, plainStatus: "SUCCESS"},
	}
}

// good is a fault that a sync survives: every row arrives.
func good(faults string, defects map[string]int64, words ...string) faultCase {
	return faultCase{faults: faults, code: exitOK, status: "SUCCESS", events: map[string]int64{"orders": 250}, defects: defects, words: words}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	for name, test := range faultCases() {
		for _, shim := range []bool{false, true} {
			form := map[bool]string{false: ", upstream's form", true: ", with the shim"}[shim]
			t.Run(name+form, func(t *testing.T) {
				t.Parallel()
				test := test
				if !shim && test.plainStatus != "" {
					test.code, test.status, test.words = test.plainCode, test.plainStatus, nil
				}
				p := newPod(t, "read", `{"counts":{"customers":30,"orders":250},"records_per_state":100,`+test.config+`"faults":{`+test.faults+`}}`)
				p.configure(incrementalStreams("customers", "orders")...)
				p.withShim = shim
				got := p.run()
				got.want(t, test.code, append(test.words, "read "+test.status)...)
				checkFault(t, p, test)
			})
		}
	}
}

// checkFault compares what the local folder holds.
func checkFault(t *testing.T, p *pod, test faultCase) {
	t.Helper()
	task := p.task()
	if task.Status != test.status || (task.Error == "") != (test.status == "SUCCESS") {
		t.Errorf("task %s, %q", task.Status, task.Error)
	}
	events := map[string]int64{"customers": 30}
	maps.Copy(events, test.events)
	for stream, n := range events {
		if entry := task.Streams[stream]; entry.Events != n || int64(len(p.rows(stream))) != n {
			t.Errorf("%s: %d rows in the task, %d in the file, want %d", stream, entry.Events, len(p.rows(stream)), n)
		}
	}
	if got := task.Streams["orders"].Defects; !maps.Equal(got, test.defects) {
		t.Errorf("defects %v, want %v", got, test.defects)
	}
	if test.status == "SUCCESS" && !strings.Contains(p.file("state.json"), `"orders"`) {
		t.Errorf("no state of orders: %s", p.file("state.json"))
	}
}
