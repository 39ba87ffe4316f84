package postgres

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"sync-sidecar/sidecar/postgres/postgrestest"
)

func TestParseURL(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]struct {
		name, schema string
		tls          bool // of the first attempt
		params       int
	}{
		"postgres://u:p@db.example/jitsu?sslmode=disable":                                 {name: "postgres db.example:5432/jitsu"},
		"postgresql://u:p@db.example:6543/jitsu?sslmode=disable":                          {name: "postgres db.example:6543/jitsu"},
		"postgresql://u:p@db.example/jitsu":                                               {name: "postgres db.example:5432/jitsu", tls: true},
		"postgres://u:p@db.example/jitsu?sslmode=require":                                 {name: "postgres db.example:5432/jitsu", tls: true},
		"postgres://u:p@h/d?schema=x&sslmode=no-verify":                                   {name: "postgres h:5432/d schema x", schema: "x", tls: true},
		"postgres://u:p%40%2F@db.example/d?schema=a%20b&sslmode=disable":                  {name: "postgres db.example:5432/d schema a b", schema: "a b"},
		"postgres://u:p@[::1]/jitsu?sslmode=disable&application_name=mine":                {name: "postgres [::1]:5432/jitsu", params: 1},
		"host=db.example user=u password='p p' dbname=jitsu sslmode=disable schema=x":     {name: "postgres db.example:5432/jitsu schema x", schema: "x"},
		"postgres://u:p@db.example/jitsu?sslmode=disable&pgbouncer=true&pool_timeout=9":   {name: "postgres db.example:5432/jitsu"},
		"postgres://u:p@db.example/jitsu?sslmode=disable&connection_limit=no&sslaccept=x": {name: "postgres db.example:5432/jitsu"},
	} {
		got, err := parseURL(url)
		if err != nil {
			t.Errorf("%s: %v", url, err)
			continue
		}
		if got.name != want.name || got.schema != want.schema {
			t.Errorf("%s: got %q and schema %q", url, got.name, got.schema)
		}
		config := got.config.ConnConfig
		if (config.TLSConfig != nil) != want.tls || len(config.RuntimeParams) != want.params {
			t.Errorf("%s: got TLS %v and parameters %v", url, config.TLSConfig != nil, config.RuntimeParams)
		}
	}
}

// No part of a password may be quoted, whatever is wrong.
func TestParseURLErrors(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"":                                    "DATABASE_URL is empty",
		"  ":                                  "DATABASE_URL is empty",
		"mysql://u:hunter2@h/d":               "want postgres://",
		"postgres://u:hun/ter2@h/d":           "percent-encoded",
		"postgres://u:hun%ter2@h/d":           "percent-encoded",
		"postgres://u:hun ter2@h:x/d":         "percent-encoded",
		"postgres://u:hunter2@h:99999999/d":   "want postgres://",
		"host=h password=hunter2 port=abc":    "want postgres://",
		"postgres://u:hunter2@h/d?sslmode=on": "sslmode is invalid: want disable",
	} {
		_, err := parseURL(url)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", url, err, want)
			continue
		}
		for _, secret := range []string{"hun", "ter2"} {
			if strings.Contains(err.Error(), secret) {
				t.Errorf("%s: %q quotes the password", url, err)
			}
		}
	}
}

func TestConnectionsNameTheTask(t *testing.T) {
	t.Parallel()
	url := postgrestest.Database(t)
	for query, want := range map[string]string{"": "sync-sidecar task-1", "&application_name=mine": "mine"} {
		j := open(t, url+query)
		var name, mode string
		must(t, j.pool.QueryRow(within(t), "show application_name").Scan(&name))
		must(t, j.pool.QueryRow(within(t), "select count(*)::text from pg_prepared_statements").Scan(&mode))
		if name != want || mode != "0" || j.pool.Config().ConnConfig.DefaultQueryExecMode != pgx.QueryExecModeExec {
			t.Errorf("application_name is %q, want %q; %s prepared statements", name, want, mode)
		}
	}
}
