package postgres

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"sync-sidecar/sidecar/postgres/postgrestest"
)

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
