package destination

import (
	"strings"
	"testing"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/postgres/postgrestest"
)

// TestGenerationsAreConcealed: what default privileges give to others they do not have on a table that holds the rows of another for a while, which
// may show each only a part of them.
func TestGenerationsAreConcealed(t *testing.T) {
	t.Parallel()
	server := postgrestest.Start(t) // roles are the server's
	for _, sql := range []string{`create role "Reporting team"`, `alter default privileges grant select on tables to public, "Reporting team"`} {
		postgrestest.Exec(t, server.DSN(), sql)
	}
	orders := table("orders", properties(idAndV), "id")
	r := begin(t, server.DSN(), nil, nil, orders)
	must(t, r.load(0, sidecar.Append, `{"id":1,"v":"old"}`))
	r = begin(t, server.DSN(), nil, nil, orders)
	must(t, r.load(0, sidecar.ReplaceFirst, `{"id":1,"v":"new"}`))
	const granted = `select c.relname, has_table_privilege('Reporting team', c.oid, 'select') from pg_class c where c.relname like 'orders%'
		and c.relkind = 'r' order by 1`
	got := postgrestest.Query(t, server.DSN(), granted)
	if len(got) != 2 || got[0] != "orders|t" || !strings.HasSuffix(got[1], "|f") {
		t.Errorf("who may read: %q", got)
	}
	must(t, r.load(0, sidecar.Append, `{"id":2,"v":"new"}`))
	must(t, finish(r))
	equalLines(t, "rows", postgrestest.Query(t, server.DSN(), `select id, v from orders order by id`), "1|new", "2|new")
}
