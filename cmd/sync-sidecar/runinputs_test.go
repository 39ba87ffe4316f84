package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The configuration is checked against the connector's spec before anything else starts, and the connector is asked for it once.
func TestRunChecksTheConfig(t *testing.T) {
	t.Parallel()
	c := newCommandLine(t)
	put(t, filepath.Join(c.dir, "config.json"), "\ufeff"+`{"count":"hunter2","api_key":5}`)
	put(t, filepath.Join(c.dir, "config.yaml"), "\ufeff# comment\ncount: hunter2\napi_key: 5\n")
	put(t, filepath.Join(c.dir, "good.yaml"), "\ufeffcount: 100 # rows\nstate_type: GLOBAL\n")
	asked := "asking the connector for its spec"
	for _, test := range []struct {
		args  []string
		code  int
		want  string // in stderr
		asked bool
	}{
		{[]string{"check", "--config", "config.json"}, exitUsage,
			"config.json does not fit the connector's spec: api_key is number, want string; count is string, want integer (--no-validate", true},
		{[]string{"discover", "--config", "config.yaml"}, exitUsage, "config.yaml does not fit the connector's spec: api_key is number", true},
		{[]string{"read", "--config", `{"state_type":"hunter2"}`}, exitUsage,
			`--config does not fit the connector's spec: state_type is none of "STREAM"`, true},
		{[]string{"check", "--config", "config.json", "--no-validate"}, exitCheckFailed, "", false},
		{[]string{"check", "--config", "good.yaml"}, 0, "", false},
		{[]string{"read", "--config", "good.yaml", "--streams", "prod*"}, 0, "", false},
		{[]string{"check", "--config", `{"cuont":5}`}, 0, "cuont is no setting of the spec: is count meant?; the connector may refuse it", false},
		{[]string{"check", "--config", `{"streams":1}`}, exitCheckFailed, "streams is less than 3; the connector may refuse it", false},
	} {
		got := c.demo(test.args[0], append([]string{"--verbose"}, test.args[1:]...)...)
		if got.code != test.code || !strings.Contains(got.stderr, test.want) || strings.Contains(got.stderr+got.stdout, "hunter2") {
			t.Errorf("%q: exit code %d\n%s%s", test.args, got.code, got.stdout, got.stderr)
		}
		if strings.Contains(got.stderr, asked) != test.asked {
			t.Errorf("%q: asked for the spec, or not: %s", test.args, got.stderr)
		}
	}
}

// A connector that does not know spec is no reason not to run it.
func TestRunOfAConnectorWithoutASpec(t *testing.T) {
	t.Parallel()
	c := newCommandLine(t)
	script := filepath.Join(c.dir, "source.sh")
	put(t, script, "#!/bin/sh\n[ \"$1\" = check ] || { echo 'usage: source.sh check' >&2; exit 2; }\n"+
		`echo '{"type":"CONNECTION_STATUS","connectionStatus":{"status":"SUCCEEDED"}}'`+"\n")
	got := c.run("run", "check", "--exec", "sh "+script, "--config", `{"any":1}`)
	if got.code != 0 || !strings.Contains(got.stderr, "the configuration is not checked: the connector did not tell its spec") ||
		!strings.Contains(got.stderr, "usage: source.sh check") {
		t.Errorf("exit code %d\n%s%s", got.code, got.stdout, got.stderr)
	}
}

// keptRows is the rows of a stream in the folder, each by its id.
func keptRows(t *testing.T, c *commandLine, stream string) (rows int, ids map[int]int) {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(c.dir, "sync-data", "source-demo", "rows", stream+".ndjson"))
	if err != nil {
		t.Fatal(err)
	}
	ids = map[int]int{}
	for line := range bytes.Lines(content) {
		var row struct{ ID int }
		if err := json.Unmarshal(line, &row); err != nil {
			t.Fatal(err)
		}
		ids[row.ID]++
		rows++
	}
	return rows, ids
}

// --limit brings so many rows of each stream, one after the other as the connector reads them, and the next read has the rest, each row once.
func TestRunReadsSoManyRows(t *testing.T) {
	t.Parallel()
	for name, config := range map[string]string{
		"states on the way":  `{"counts":{"customers":5,"products":3000,"orders":5000},"records_per_state":4}`,
		"states at the end":  `{"counts":{"customers":5,"products":3000,"orders":5000},"records_per_state":100000}`,
		"of all streams":     `{"counts":{"customers":5,"products":3000,"orders":5000},"records_per_state":4,"state_type":"GLOBAL"}`,
		"side by side":       `{"counts":{"customers":5,"products":3000,"orders":5000},"records_per_state":4,"interleave":true}`,
		"without statuses":   `{"counts":{"customers":5,"products":3000,"orders":5000},"records_per_state":4,"no_statuses":true}`,
		"LEGACY, at the end": `{"counts":{"customers":5,"products":3000,"orders":5000},"records_per_state":100000,"state_type":"LEGACY"}`,
	} {
		for _, mode := range []string{"", "full_refresh"} {
			if mode != "" && name != "states on the way" && name != "without statuses" {
				continue // the mode decides about states, which these have as well
			}
			t.Run(name+" "+mode, func(t *testing.T) {
				t.Parallel()
				c := newCommandLine(t)
				args := []string{"--config", config}
				if mode != "" {
					args = append(args, "--sync-mode", mode)
				}
				got := c.demo("read", append(args, "--limit", "10", "--output", "json")...)
				if got.code != 0 {
					t.Fatalf("exit code %d\n%s", got.code, got.stderr)
				}
				for stream, want := range map[string]int{"customers": 5, "products": 10, "orders": 10} {
					if rows, _ := keptRows(t, c, stream); rows != want {
						t.Errorf("%s: %d rows, want %d", stream, rows, want)
					}
				}
				if got := c.demo("read", args...); got.code != 0 {
					t.Fatalf("exit code %d\n%s", got.code, got.stderr)
				}
				for stream, want := range map[string]int{"customers": 5, "products": 3000, "orders": 5000} {
					if rows, ids := keptRows(t, c, stream); rows != want || len(ids) != want {
						t.Errorf("%s: %d rows of %d ids, want %d", stream, rows, len(ids), want)
					}
				}
			})
		}
	}
}

func TestRunRefusesWhatStreamsCannotDo(t *testing.T) {
	t.Parallel()
	c := newCommandLine(t)
	for _, test := range []struct{ args, want string }{
		{"--cursor orders=nonsense", `stream "orders" has no field nonsense`},
		{"--primary-key orders=id,nonsense", `stream "orders" has no field nonsense`},
		{"--sync-mode sometimes", "write full_refresh or incremental"},
		{"--cursor updated_at", "write STREAM=FIELD"},
		{"--full-refresh --sync-mode incremental", "--full-refresh reads every stream"},
		{"--streams nope*", `no stream that fits "nope*"`},
		{"--limit -1", "how many rows"},
		{"--limit 5 --full-refresh", "--limit with --full-refresh"},
		{"--volume /etc/hosts:/x", "--volume: a local program sees the files of this machine"},
		{"--user 5", "--user: a local program runs as you do"},
		{"--ca /etc/hosts", "/etc/hosts holds no certificate"},
	} {
		got := c.demo("read", append([]string{"--config", "{}"}, strings.Fields(test.args)...)...)
		if got.code != exitUsage || !strings.Contains(got.stderr, test.want) {
			t.Errorf("%s: exit code %d, %s; want %s", test.args, got.code, got.stderr, test.want)
		}
	}
}
