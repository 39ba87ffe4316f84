package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

func TestArguments(t *testing.T) {
	for _, test := range []struct {
		args string
		want arguments
		err  string
	}{
		{args: "spec", want: arguments{command: "spec"}},
		{args: "check --config c.json", want: arguments{command: "check", config: "c.json"}},
		{args: "--debug read --config=c --catalog k --state s", want: arguments{command: "read", config: "c", catalog: "k", state: "s", debug: true}},
		{args: "--help", want: arguments{help: true}},
		{args: "read -h", want: arguments{command: "read", help: true}},
		{args: "", err: "a command is needed"},
		{args: "write", err: `unknown command "write"`},
		{args: "check", err: "check needs --config FILE"},
		{args: "read --config c", err: "read needs --catalog FILE"},
		{args: "read --config", err: "--config needs a file"},
		{args: "spec --verbose", err: "unknown option --verbose"},
		{args: "spec check", err: `unexpected argument "check"`},
	} {
		got, err := parseArguments(strings.Fields(test.args))
		if test.err != "" {
			if err == nil || !strings.Contains(err.Error(), test.err) {
				t.Errorf("%q: error %v, want %q", test.args, err, test.err)
			}
			continue
		}
		if err != nil || got != test.want {
			t.Errorf("%q: %+v (%v), want %+v", test.args, got, err, test.want)
		}
	}
}

func TestUsage(t *testing.T) {
	if got := runInside(t, "--help"); got.code != 0 || !strings.Contains(got.stdout, "source-demo read") {
		t.Errorf("--help: %+v", got)
	}
	if got := runInside(t, "write"); got.code != 2 || got.stdout != "" || !strings.Contains(got.stderr, "--help") {
		t.Errorf("unknown command: %+v", got)
	}
}

// TestBadFiles: each bad file gives an ERROR trace of a config_error that names the file or the field, and exit code 1.
func TestBadFiles(t *testing.T) {
	catalog := func(stream string) string { return fmt.Sprintf(`{"streams":[%s]}`, stream) }
	good := catalog(`{"stream":{"name":"orders"},"sync_mode":"incremental"}`)
	for _, test := range []struct{ name, config, catalog, state, text string }{
		{name: "config: no JSON", config: "{\n\"count\": 1,\n}", text: "line 3"},
		{name: "config: no object", config: `[]`, text: "a JSON object is expected"},
		{name: "config: empty", config: ` `, text: "a JSON object is expected"},
		{name: "config: type", config: `{"count":"many"}`, text: "count: a number is expected, not a string"},
		{name: "config: fraction", config: `{"count":1.5}`, text: "count: 1.5 is not a whole number"},
		{name: "config: too much", config: `{"count":1e10}`, text: "count: 1e10 is more than the maximum 4000000000"},
		{name: "config: too large", config: `{"count":1e999}`, text: "count: 1e999 is too large"},
		{name: "config: enum", config: `{"state_type":"ROW"}`, text: "state_type: \\\"ROW\\\" is not one of [STREAM GLOBAL LEGACY]"},
		{name: "config: boolean", config: `{"interleave":1}`, text: "interleave: boolean is expected, not a number"},
		{name: "config: faults", config: `{"faults":[]}`, text: "faults: an object is expected, not an array"},
		{name: "config: fault", config: `{"faults":{"explode":{}}}`, text: "faults.explode: unknown field"},
		{name: "config: setting of a fault", config: `{"faults":{"silence":{"minutes":1}}}`, text: "faults.silence.minutes: unknown field"},
		{name: "config: stream of a fault", config: `{"faults":{"silence":{"stream":"x"}}}`, text: "there is no stream \\\"x\\\""},
		{name: "config: counts", config: `{"counts":{"refunds":1}}`, text: "counts.refunds: there is no such stream"},
		{name: "config: count of a further stream", config: `{"streams":4,"counts":{"orders_4":"x"}}`, text: "counts"},
		{name: "config: updates", config: `{"update_every":1}`, text: "update_every: 1 leaves no row"},
		{name: "catalog: no JSON", catalog: `{`, text: "unexpected end"},
		{name: "catalog: no object", catalog: `[]`, text: "a JSON object is expected"},
		{name: "catalog: no streams", catalog: `{}`, text: "streams: an array is expected"},
		{name: "catalog: streams", catalog: `{"streams":"all"}`, text: "streams"},
		{name: "catalog: no name", catalog: catalog(`{"stream":{}}`), text: "streams[0].stream.name: is missing"},
		{name: "catalog: sync mode", catalog: catalog(`{"stream":{"name":"x"},"sync_mode":"INVALID"}`), text: "streams[0].sync_mode: \\\"INVALID\\\""},
		{name: "catalog: destination", catalog: catalog(`{"stream":{"name":"x"},"destination_sync_mode":"upsert"}`),
			text: "destination_sync_mode: \\\"upsert\\\""},
		{name: "catalog: cursor", catalog: catalog(`{"stream":{"name":"orders"},"sync_mode":"incremental","cursor_field":["total"]}`),
			text: "streams[0].cursor_field: \\\"total\\\""},
		{name: "catalog: cursor and updates", config: `{"update_every":2}`,
			catalog: catalog(`{"stream":{"name":"orders"},"sync_mode":"incremental","cursor_field":["id"]}`), text: "id does not see the updates"},
		{name: "state: no JSON", state: `[{]`, text: "state"},
		{name: "state: scalar", state: `7`, text: "an array of states, or an object, is expected"},
		{name: "state: elements", state: `[1]`, text: "state"},
		{name: "state: type", state: `[{"type":"ROW"}]`, text: "not type \\\"ROW\\\""},
		{name: "state: no object", state: `{"orders":[7]}`, text: "state of stream \\\"orders\\\": an object is expected"},
		{name: "state: cursor", state: `{"orders":{"updated_at":7}}`, text: "state of stream \\\"orders\\\": updated_at: a time is expected, not 7"},
		{name: "state: time", state: `{"orders":{"updated_at":"yesterday"}}`, text: "updated_at: parsing time"},
	} {
		t.Run(test.name, func(t *testing.T) {
			or := func(text, otherwise string) string {
				if text == "" {
					return file(t, otherwise)
				}
				return file(t, text)
			}
			got := runInside(t, "read", "--config", or(test.config, `{}`), "--catalog", or(test.catalog, good), "--state", or(test.state, `[]`))
			if got.code != 1 || got.stderr != "" {
				t.Errorf("exit code %d, stderr %q", got.code, got.stderr)
			}
			all := messages(t, got.stdout)
			if last := all[len(all)-1]; last.Trace == nil || last.Trace.Error == nil || last.Trace.Error.FailureType != "config_error" ||
				!strings.Contains(last.raw, test.text) {
				t.Errorf("no config error with %q in:\n%s", test.text, got.stdout)
			}
		})
	}
	missing := filepath.Join(t.TempDir(), "config.json")
	if got := runInside(t, "check", "--config", missing); got.code != 1 || !strings.Contains(got.stdout, missing) {
		t.Errorf("missing config: %+v", got)
	}
}

// TestIDCursor: a number that is none is refused.
func TestIDCursor(t *testing.T) {
	for _, id := range []string{`"7"`, `-1`, `1.5`} {
		got := runInside(t, "read", "--config", file(t, `{}`), "--catalog", catalogFile(t, incremental, "id", "", "orders"),
			"--state", file(t, `{"orders":{"id":`+id+`}}`))
		if got.code != 1 || !strings.Contains(got.stdout, `id: a whole number is expected`) {
			t.Errorf("%s: %+v", id, got)
		}
	}
}
