package postgres

import (
	"context"
	"net/url"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"sync-sidecar/sidecar/postgres/postgrestest"
)

// TestExamine: the owner of a database; then a user who may connect, and use one table.
func TestExamine(t *testing.T) {
	t.Parallel()
	database := postgrestest.Database(t)
	found, err := Examine(t.Context(), "DATABASE_URL", database)
	if err != nil || !found.MayCreate || len(found.Missing) != 6 || len(found.Tables) != 6 || found.Schema != "public" ||
		found.Ahead.Abs().Minutes() > 1 {
		t.Errorf("%+v, %v", found, err)
	}
	owner, err := pgx.Connect(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	name := strings.ToLower(owner.Config().Database) + "_examined"
	for _, statement := range []string{
		"create table source_spec (a int)", "create table task_log (a int)", "create table source_state (a int)",
		"create role " + name + " login password 'pw'",
		"revoke create on schema public from public", "grant insert on task_log to " + name, "grant select, insert, update on source_state to " + name,
	} {
		if _, err := owner.Exec(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	t.Cleanup(func() {
		if _, err := owner.Exec(context.Background(), "drop owned by "+name+"; drop role "+name); err != nil {
			t.Error(err)
		}
		if err := owner.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	if _, err := owner.Exec(t.Context(), "set role "+name); err != nil {
		t.Fatal(err)
	}
	found = Examination{}
	err = found.look(t.Context(), owner, "")
	if _, resetErr := owner.Exec(t.Context(), "reset role"); resetErr != nil {
		t.Fatal(resetErr)
	}
	forbidden := strings.Join(found.Forbidden, " ")
	if err != nil || found.MayCreate || found.User != name || forbidden != "source_spec source_state" || len(found.Missing) != 3 {
		t.Errorf("%+v, %v", found, err)
	}
}

func TestExamineHidesThePassword(t *testing.T) {
	t.Parallel()
	_, err := Examine(t.Context(), "DATABASE_URL", "postgres://u:"+url.QueryEscape("s3same")+"@127.0.0.1:1/x")
	if err == nil || strings.Contains(err.Error(), "s3same") || !strings.Contains(err.Error(), "127.0.0.1") {
		t.Errorf("%v", err)
	}
}
