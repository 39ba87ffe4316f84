package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"sync-sidecar/runner"
	"sync-sidecar/sidecar"
)

// event is a line of --output json.
type event struct {
	Event  string          `json:"event"`
	Report *sidecar.Report `json:"report"`
	Usage  *runner.Usage   `json:"usage"`
}

// eventsIn are the lines of stdout.
func eventsIn(stdout string) (events []event, err error) {
	for line := range strings.Lines(stdout) {
		var e event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			return nil, fmt.Errorf("line %q: %w", line, err)
		}
		events = append(events, e)
	}
	return events, nil
}

// lastReport is the report with which the events end.
func lastReport(stdout string) (sidecar.Report, error) {
	events, err := eventsIn(stdout)
	if err != nil {
		return sidecar.Report{}, err
	}
	if len(events) == 0 || events[len(events)-1].Event != sidecar.EventReport || events[len(events)-1].Report == nil {
		return sidecar.Report{}, fmt.Errorf("the last of %d events is no report: %s", len(events), stdout)
	}
	return *events[len(events)-1].Report, nil
}

func TestRunTellsProgramsWhatHappens(t *testing.T) {
	t.Parallel()
	c := newCommandLine(t)
	path := filepath.Join(c.dir, "report.json")
	const config = `{"counts":{"orders":300},"rate":100,"emit_estimates":true}`
	got := c.demo("read", "--config", config, "--streams", "orders", "-o", "json", "--report", path)
	events, err := eventsIn(got.stdout)
	if err != nil || got.code != 0 {
		t.Fatalf("exit code %d, %v: %s", got.code, err, got.stderr)
	}
	kinds := map[string]int{}
	for _, e := range events {
		kinds[e.Event]++
	}
	if kinds["log"] == 0 || kinds["progress"] == 0 || kinds["usage"] == 0 || kinds["report"] != 1 || len(kinds) != 4 {
		t.Errorf("events %v", kinds)
	}
	report, err := lastReport(got.stdout)
	if err != nil || report.Status != sidecar.StatusSuccess || report.Streams[0].Rows != 300 {
		t.Errorf("%v: %+v", err, report)
	}
	var written sidecar.Report
	if text, err := os.ReadFile(path); err != nil || json.Unmarshal(text, &written) != nil || !reflect.DeepEqual(written, report) {
		t.Errorf("%v: --report wrote %s", err, text)
	}
}

// Whatever the end is, it is told to programs: the connector fails, or nothing can be started.
func TestRunTellsProgramsOfFailures(t *testing.T) {
	t.Parallel()
	c := newCommandLine(t)
	c.env = append(c.env, "DOCKER_HOST=unix:///no/such/socket")
	path := filepath.Join(c.dir, "report.json")
	catalog := oneOrder(t, c.dir)
	for name, test := range map[string]struct {
		args []string
		code int
		want string // in the cause
	}{
		"a connector that fails": {[]string{"--exec", c.programs.Demo, "--config", `{"faults":3}`, "--no-validate"}, exitFailed, "discover failed"},
		"no Engine":              {[]string{"--image", "any/thing", "--config", "{}"}, exitEnvironment, "no Docker Engine answers"},
		"no program":             {[]string{"--exec", "/no/such/program", "--config", "{}", "--catalog", catalog}, exitEnvironment, "/no/such/program"},
	} {
		got := c.run(append([]string{"run", "read", "-o", "json", "--report", path}, test.args...)...)
		report, err := lastReport(got.stdout)
		if got.code != test.code || err != nil || report.ExitCode != test.code || !strings.Contains(report.Cause, test.want) {
			t.Errorf("%s: exit code %d, %v: %+v\n%s", name, got.code, err, report, got.stderr)
		}
		if text, err := os.ReadFile(path); err != nil || !strings.Contains(string(text), fmt.Sprintf(`"exit_code": %d`, test.code)) {
			t.Errorf("%s: %v: %s", name, err, text)
		}
	}
}

// oneOrder is a catalog.
func oneOrder(t *testing.T, dir string) string {
	t.Helper()
	path := filepath.Join(dir, "one.json")
	const catalog = `{"streams":[{"stream":{"name":"orders","json_schema":{}},"sync_mode":"full_refresh","destination_sync_mode":"overwrite"}]}`
	if err := os.WriteFile(path, []byte(catalog), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// The schema names every member that an event can have, and no other.
func TestDocsDescribeEvents(t *testing.T) {
	content, err := os.ReadFile("../../docs/events.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	type object struct {
		Properties map[string]json.RawMessage
	}
	var schema struct {
		object
		Definitions map[string]object
	}
	if err := json.Unmarshal(content, &schema); err != nil {
		t.Fatal(err)
	}
	var usage object
	if err := json.Unmarshal(schema.Properties["usage"], &usage); err != nil {
		t.Fatal(err)
	}
	for name, pair := range map[string]struct {
		described object
		of        any
	}{
		"report": {schema.Definitions["report"], sidecar.Report{}},
		"stream": {schema.Definitions["stream"], sidecar.StreamReport{}},
		"usage":  {usage, runner.Usage{}},
	} {
		var members []string
		for field := range reflect.TypeOf(pair.of).NumField() {
			member, _, _ := strings.Cut(reflect.TypeOf(pair.of).Field(field).Tag.Get("json"), ",")
			members = append(members, member)
		}
		slices.Sort(members)
		if described := slices.Sorted(maps.Keys(pair.described.Properties)); !slices.Equal(described, members) {
			t.Errorf("%s has %q, and the schema describes %q", name, members, described)
		}
	}
}

func TestRunTellsOfRateLimits(t *testing.T) {
	t.Parallel()
	c := newCommandLine(t)
	const config = `{"counts":{"orders":50},"faults":{"rate_limited":{"stream":"orders","after_row":10,"seconds":3}}}`
	got := c.demo("read", "--config", config, "--streams", "orders", "-o", "json")
	events, err := eventsIn(got.stdout)
	if err != nil || got.code != 0 {
		t.Fatalf("exit code %d, %v: %s", got.code, err, got.stderr)
	}
	limited := 0
	for _, e := range events {
		if e.Event == sidecar.EventProgress && e.Report.Streams[0].RateLimited && e.Report.Streams[0].RateLimitedUntil != nil {
			limited++
		}
	}
	if last := events[len(events)-1].Report.Streams[0]; limited == 0 || last.RateLimited {
		t.Errorf("%d reports of a limit, and at the end: %+v", limited, last)
	}
}
