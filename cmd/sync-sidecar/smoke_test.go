package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"sync-sidecar/runner/smoke"
)

// planted is a fault of source-demo, and the check that has to find it.
type planted struct {
	name   string
	config string // members of the configuration beside api_key
	spec   string // deviation of spec, which has no configuration
	want   string // the check; empty when all have to pass
	status smoke.Status
	args   []string
}

// fault plants one that strikes in read.
func fault(name, faults, want string, status smoke.Status) planted {
	return planted{name: name, config: `"faults":{` + faults + `}`, want: want, status: status}
}

// deviation plants a deviation from the protocol.
func deviation(name, want string, status smoke.Status) planted {
	return fault(name, `"deviation":"`+name+`"`, want, status)
}

// specDeviation plants one in spec.
func specDeviation(name, want string, status smoke.Status) planted {
	return planted{name: name, config: `"count":1000`, spec: name, want: want, status: status}
}

const pass, warn, fail = smoke.Pass, smoke.Warn, smoke.Fail

// plantedFaults are the faults of source-demo, each with the one check that finds it.
func plantedFaults() []planted {
	return []planted{
		{name: "none", status: pass},
		fault("escaped keys are valid", `"escaped_keys":{"after_row":5}`, "", pass),
		{name: "updates are newer versions", config: `"update_every":7`, status: pass},
		{name: "global states", config: `"state_type":"GLOBAL","interleave":true`, status: pass},
		{name: "a token for one use", config: `"emit_control":true`, status: pass},
		{name: "namespaces", config: `"namespace":"shop","streams":12,"interleave":true`, status: pass},

		specDeviation("spec_twice", "spec.answer", fail), specDeviation("spec_missing", "spec.answer", fail),
		specDeviation("spec_bad_schema", "spec.schema", fail), specDeviation("spec_unmarked_secret", "spec.secrets", fail),
		specDeviation("spec_protocol_version", "spec.protocol-version", fail), specDeviation("spec_lost_value", "baseline.spec", fail),
		{name: "a configuration that does not fit", config: `"count":1000,"no_states":"yes"`, want: "spec.config", status: fail,
			args: []string{"--only", "spec"}},

		deviation("check_twice", "check.answer", fail), deviation("check_missing", "check.answer", fail), deviation("check_any", "check.bad-config", fail),
		fault("check says FAILED", `"check_failed":"no network"`, "check.succeeded", fail),
		fault("check exits 3", `"exit_code":{"command":"check","after_row":1,"code":3}`, "check.exit", fail),

		deviation("catalog_twice", "discover.answer", fail), deviation("catalog_missing", "discover.answer", fail),
		deviation("catalog_empty", "discover.streams", fail), deviation("catalog_repeated_stream", "discover.unique", fail),
		deviation("catalog_no_modes", "discover.modes", fail), deviation("catalog_bad_schema", "discover.schema", fail),
		deviation("catalog_reference", "discover.keywords", warn), deviation("catalog_type", "discover.types", warn),
		deviation("catalog_key", "discover.key", fail), deviation("catalog_cursor", "discover.cursor", fail),
		deviation("catalog_lost_stream", "baseline.catalog", fail),
		fault("discover crashes", `"exit_code":{"command":"discover","code":4}`, "discover.exit", fail),

		fault("read exits in the middle", `"exit_code":{"after_row":500}`, "read.exit", fail),
		fault("read is killed", `"kill_self":{"after_row":500}`, "read.exit", fail),
		fault("read ends in a line", `"cut_last_line":{"after_row":500}`, "read.exit", fail),
		fault("a crash at the end", `"crash_after_complete":5`, "read.exit", fail),
		fault("a stream fails", `"error_trace":{"stream":"products","after_row":20}`, "read.exit", fail),
		fault("a stream fails with exit code 0", `"error_trace":{"stream":"products","after_row":20,"code":0}`, "read.error", fail),
		fault("exit code 0 in the middle", `"exit_code":{"after_row":500,"code":0}`, "read.complete", fail),
		fault("stdout is closed", `"close_stdout":{"after_row":500}`, "read.complete", fail),
		deviation("no_complete", "read.complete", fail), deviation("no_started", "read.statuses", fail),
		{name: "no statuses", config: `"no_statuses":true`, want: "read.statuses", status: warn},
		{name: "an empty stream", config: `"counts":{"products":0}`, want: "read.records", status: warn},
		{name: "no records", config: `"count":0`, want: "read.records", status: fail},
		fault("a stream that nobody asked for", `"unknown_stream":{"after_row":20}`, "read.streams", fail),
		fault("errors in the log", `"log_levels":{"after_row":20}`, "read.error-logs", warn),
		fault("it lingers", `"hang_after_eof":7`, "read.end", warn),
		fault("it leaves a child", `"grandchild":{"after_row":20,"seconds":20}`, "read.end", fail),

		fault("a broken line", `"broken_line":{"after_row":20}`, "read.lost-lines", fail),
		fault("a cut line, and exit code 0", `"cut_last_line":{"after_row":950,"code":0}`, "read.lost-lines", fail),
		fault("joined lines", `"joined_lines":{"after_row":20,"lines":3}`, "read.joined-lines", fail),
		fault("text on stdout", `"stdout_text":{"after_row":20}`, "read.stdout", warn),
		fault("unknown types", `"unknown_types":{"after_row":20}`, "read.stdout", warn),
		fault("empty payloads", `"empty_payloads":{"after_row":20}`, "read.payloads", warn),
		fault("NaN", `"non_finite":{"after_row":20}`, "read.numbers", fail),
		fault("bytes that are no UTF-8", `"invalid_utf8":{"after_row":20}`, "read.encoding", fail),
		fault("a flood on stderr", `"stderr_flood":{"after_row":20}`, "read.log-volume", warn),

		fault("a wrong type", `"wrong_type":{"after_row":20}`, "read.schema", fail),
		fault("an undeclared field", `"undeclared_field":{"after_row":20}`, "read.undeclared", warn),
		fault("no key", `"null_key":{"after_row":20}`, "read.key-null", fail),
		fault("a record twice", `"repeated_row":{"after_row":20}`, "read.key-unique", fail),
		fault("no cursor", `"null_cursor":{"after_row":20}`, "read.cursor", warn),
		fault("seconds", `"emitted_seconds":{"after_row":20}`, "read.emitted-at", fail),
		fault("a huge record", `"huge_row":{"after_row":20}`, "read.long-records", warn),
		fault("NUL", `"nul":{"after_row":20}`, "read.text", warn), fault("half a pair", `"lone_surrogate":{"after_row":20}`, "read.text", warn),
		fault("a file", `"file_record":{"after_row":20}`, "read.files", warn),

		{name: "no states", config: `"no_states":true`, want: "read.states", status: fail},
		{name: "LEGACY states", config: `"state_type":"LEGACY"`, want: "read.state-type", status: warn},
		{name: "no counts", config: `"no_source_stats":true`, want: "read.state-counts", status: warn},
		fault("wrong counts", `"wrong_stats":{"after_row":20}`, "read.state-counts", fail),
		fault("states after the end", `"late_states":true`, "read.state-order", warn),
		fault("states twice", `"repeat_states":true`, "read.state-repeats", warn),
		fault("NUL in states", `"odd_states":true`, "read.state-text", warn),

		deviation("state_refused", "again.exit", fail), deviation("state_ignored", "again.progress", fail), deviation("state_ahead", "resume.rest", fail),
		deviation("bad_catalog_accepted", "bad-catalog.refused", fail),
		fault("SIGTERM is ignored", `"ignore_sigterm":true,"silence":{"after_row":990,"seconds":60}`, "stop.time", fail),
		fault("it stops slowly", `"slow_stop":30`, "stop.time", fail),
		deviation("stop_exits_0", "stop.exit", fail), deviation("stop_counts_ahead", "stop.states", fail),
		deviation("debug_breaks_lines", "debug.lines", fail),
		fault("a secret in the log", `"log_secret":{"after_row":20,"prose":false}`, "secrets.output", fail),
		{name: "too much memory", config: `"count":1000`, want: "connector.memory", status: fail, args: []string{"--max-memory", "1m"}},
	}
}

// smokeJSON is the result that smoke prints.
func smokeJSON(t *testing.T, line *commandLine, args ...string) (smoke.Result, ended) {
	t.Helper()
	got := line.run(append([]string{"smoke", "--output", "json", "--quiet"}, args...)...)
	var result smoke.Result
	if err := json.Unmarshal([]byte(got.stdout), &result); err != nil {
		t.Fatalf("exit code %d, %v: %s%s", got.code, err, got.stdout, got.stderr)
	}
	return result, got
}

// unpassed are the checks that did not pass.
func unpassed(result smoke.Result) []string {
	var all []string
	for _, check := range result.Checks {
		if check.Status == smoke.Warn || check.Status == smoke.Fail {
			all = append(all, check.ID+" "+string(check.Status))
		}
	}
	return all
}

// TestSmokeFindsPlantedFaults: each fault of source-demo is found by the one check that is meant for it, and no other check says anything about it.
func TestSmokeFindsPlantedFaults(t *testing.T) {
	t.Parallel()
	baseline := filepath.Join(t.TempDir(), "record")
	good := newCommandLine(t)
	if result, got := smokeJSON(t, good, "--exec", good.programs.Demo, "--config", `{}`, "--record", baseline, "--only",
		"spec,discover"); got.code != 0 {
		t.Fatalf("%v %s", unpassed(result), got.stderr)
	}
	var mu sync.Mutex
	rows, byCheck := map[string]string{}, map[string]bool{}
	slots := make(chan struct{}, 4)
	t.Run("planted", func(t *testing.T) {
		for _, test := range plantedFaults() {
			t.Run(test.name, func(t *testing.T) {
				t.Parallel()
				slots <- struct{}{}
				defer func() { <-slots }()
				line := newCommandLine(t)
				got := plant(t, line, test, baseline)
				want := []string{}
				if test.want != "" {
					want = append(want, test.want+" "+string(test.status))
				}
				mu.Lock()
				rows[test.name] = fmt.Sprintf("%-36s %-28s %s", test.name, strings.Join(want, ""), strings.Join(got, ", "))
				byCheck[test.want] = true
				mu.Unlock()
				if !slices.Equal(want, append([]string{}, got...)) {
					t.Errorf("found %v, want %v", got, want)
				}
			})
		}
	})
	text := fmt.Sprintf("%-36s %-28s %s\n", "planted", "has to be found by", "was found by")
	for _, test := range plantedFaults() {
		text += rows[test.name] + "\n"
	}
	t.Logf("%d faults, %d checks\n%s", len(plantedFaults())-6, len(byCheck)-1, text)
}

func plant(t *testing.T, line *commandLine, test planted, baseline string) []string {
	t.Helper()
	members := `"api_key":"a-very-secret-key","records_per_state":50`
	if test.config != "" {
		members += "," + test.config
	}
	args := []string{"--exec", line.programs.Demo, "--config", "{" + members + "}", "--grace", "2s",
		"--bad-config", `{"api_key":"invalid",` + test.config + `}`}
	if test.config == "" {
		args[len(args)-1] = `{"api_key":"invalid"}`
	}
	if strings.HasPrefix(test.want, "baseline") || test.config == "" {
		args = append(args, "--baseline", baseline)
	}
	if test.spec != "" {
		args = append(args, "--env", `SOURCE_DEMO_SPEC_CONFIG={"faults":{"deviation":"`+test.spec+`"}}`)
	}
	result, got := smokeJSON(t, line, append(args, test.args...)...)
	wantCode := 0
	if test.status == fail {
		wantCode = 1
	}
	if got.code != wantCode {
		t.Errorf("exit code %d, want %d: %s", got.code, wantCode, got.stderr)
	}
	if strings.Contains(got.stdout+got.stderr, "a-very-secret-key") {
		t.Error("the result shows the secret")
	}
	all := unpassed(result)
	slices.Sort(all)
	for _, check := range result.Checks {
		if slices.Contains(all, check.ID+" "+string(check.Status)) {
			t.Logf("%s %s: %s", check.ID, check.Status, strings.Join(check.Evidence, "; "))
		}
	}
	return all
}
