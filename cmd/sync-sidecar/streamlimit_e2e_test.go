package main

import (
	"path/filepath"
	"strings"
	"testing"

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
