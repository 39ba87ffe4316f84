package main

import (
	"path/filepath"
	"strings"
	"testing"

	"sync-sidecar/sidecar/bulker/bulkertest"
	"sync-sidecar/sidecar/postgres/postgrestest"
)

// In Postgres, too, the read after a limited one brings the rest, each row once. Rows without a key that no state covers are left to it, unless that
// read starts over and replaces them.
func TestStreamLimitIntoPostgres(t *testing.T) {
	t.Parallel()
	const keyless = `{"streams":[{"stream":{"name":"orders","json_schema":{"type":"object","properties":{"id":{"type":"integer"}}}},` +
		`"sync_mode":"incremental","destination_sync_mode":"append","cursor_field":["updated_at"]}]}`
	for name, test := range map[string]struct {
		states, catalog string
		limits          []string
		want            []string // rows after each of them
	}{
		"by key": {"4", strings.Replace(keyless, `"cursor_field"`, `"primary_key":[["id"]],"cursor_field"`, 1),
			[]string{"10", "10"}, []string{"10|10", "18|18"}},
		"without a key":                {"4", keyless, []string{"10", "10"}, []string{"8|8", "16|16"}},
		"without a key, or a state":    {"100000", keyless, []string{"10", "10"}, []string{"10|10", "10|10"}},
		"one state, and none after it": {"12", keyless, []string{"15", "10"}, []string{"12|12", "12|12"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCommandLine(t)
			database := postgrestest.Database(t)
			c.env = append(c.env, "DESTINATION_URL="+database)
			put(t, filepath.Join(c.dir, "catalog.json"), test.catalog)
			read := func(limit, want string) {
				t.Helper()
				got := c.demo("read", "--config", `{"counts":{"orders":500},"records_per_state":`+test.states+`}`, "--catalog", "catalog.json", "--limit", limit)
				if got.code != 0 {
					t.Fatalf("--limit %s: exit code %d\n%s%s", limit, got.code, got.stdout, got.stderr)
				}
				wantLines(t, "after --limit "+limit, postgrestest.Query(t, database, `select count(*), count(distinct id) from orders`), want)
			}
			for i, limit := range test.limits {
				read(limit, test.want[i])
			}
			read("0", "500|500")
		})
	}
}

// In a pod the sidecar ends the read by itself, and exec, where it is, the connector: both containers end well. Bulker gets so many rows, no more.
func TestStreamLimitInAPod(t *testing.T) {
	t.Parallel()
	for name, shim := range map[string]bool{"with exec": true, "as Jitsu makes it": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPod(t, "read", `{"counts":{"customers":5,"products":100000,"orders":100000},"records_per_state":4,"interleave":true}`)
			p.configure(append(incrementalStreams("customers", "products"), overwrittenStreams("orders")...)...)
			p.withShim = shim
			p.set("STREAM_LIMIT", "10")
			server := p.useBulker(bulkertest.Options{Token: "T-1"})
			sidecar, source := p.startSidecar(), p.startSource()
			code := sidecar.wait()
			if shim {
				if ended := source.wait(); ended != exitOK {
					t.Errorf("exec ended with %d: %s", ended, source.stderr.String())
				}
			} else {
				source.kill()
			}
			p.tidy()
			outcome{code, sidecar.stderr.String()}.want(t, exitOK, "read SUCCESS", "25 of 25 rows delivered")
			rows := map[string]int64{}
			for _, commit := range server.Commits() {
				rows[commit.Table] += commit.Rows
			}
			if rows["customers"] != 5 || rows["products"] != 10 || rows["orders"] != 10 {
				t.Errorf("Bulker has %v", rows)
			}
		})
	}
}
