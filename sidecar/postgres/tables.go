package postgres

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"sync-sidecar/sidecar/postgres/server"
)

//go:embed schema.sql
var schemaSQL string

// schemaLock is the key of the advisory lock under which tables are made: two CREATE TABLE IF NOT EXISTS at once can both find nothing, and
// the second then fails on a catalog's unique index. The number is arbitrary ("sync" in ASCII), but must stay the same.
const schemaLock = 0x73796e63

// tableSet is what was found out about the six tables.
type tableSet struct {
	state     uint32 // OID of source_state
	startedBy bool   // source_task has started_by,
	taskError bool   // and error, which consoles of before 2024 have not
}

// table is one of the six as found.
type table struct {
	name    string
	oid     uint32 // 0 is missing
	columns []string
	denied  []string // of SELECT, INSERT, UPDATE, DELETE, those that the user may not
}

// neededColumns are those that statements name without asking.
func neededColumns() map[string][]string {
	return map[string][]string{
		"source_spec":    {"package", "version", "specs", "timestamp", "error"},
		"source_check":   {"package", "version", "key", "status", "description", "timestamp"},
		"source_catalog": {"package", "version", "key", "catalog", "timestamp", "status", "description"},
		"source_state":   {"sync_id", "stream", "state", "timestamp"},
		"source_task":    {"sync_id", "task_id", "package", "version", "started_at", "updated_at", "status", "description"},
		"task_log":       {"id", "level", "logger", "message", "sync_id", "task_id", "timestamp"},
	}
}

// neededPrivileges are what statements need of every table, and DELETE of source_state.
func neededPrivileges(table string) []string {
	switch table {
	case "task_log":
		return []string{"INSERT"}
	case "source_state":
		return []string{"SELECT", "INSERT", "UPDATE", "DELETE"}
	}
	return []string{"SELECT", "INSERT", "UPDATE"}
}

// prepareTables makes the tables where one is missing, and checks that all have what is needed. existing is Options.Existing.
func (j *Journal) prepareTables(ctx context.Context, schema string, existing bool) error {
	tables, err := j.findTables(ctx)
	if err != nil {
		return j.fail("look for the tables", err)
	}
	if existing {
		j.know(tables)
		if j.tables.state == 0 {
			return j.fail("look for the states", ErrNoTables)
		}
		return nil
	}
	if missing := missingTables(tables); len(missing) > 0 {
		if err := j.createTables(ctx, schema); err != nil {
			return j.fail(fmt.Sprintf("make the missing tables %s", strings.Join(missing, ", ")), err)
		}
		if tables, err = j.findTables(ctx); err != nil {
			return j.fail("look for the tables just made", err)
		}
	}
	if err := checkTables(tables); err != nil {
		return j.fail("check the tables", err)
	}
	j.know(tables)
	return nil
}

// know takes note of what was found out about the tables.
func (j *Journal) know(tables []table) {
	for _, t := range tables {
		switch t.name {
		case "source_state":
			j.tables.state = t.oid
		case "source_task":
			j.tables.startedBy = slices.Contains(t.columns, "started_by")
			j.tables.taskError = slices.Contains(t.columns, "error")
		}
	}
}

// has_any_column_privilege is true for a privilege on the whole table too; DELETE exists for whole tables only.
const findTablesSQL = `
select name, coalesce(id::oid, 0),
    array(select attname::text from pg_attribute where attrelid = id and attnum > 0 and not attisdropped),
    array_remove(array[
        case when id is not null and not has_any_column_privilege(id, 'SELECT') then 'SELECT' end,
        case when id is not null and not has_any_column_privilege(id, 'INSERT') then 'INSERT' end,
        case when id is not null and not has_any_column_privilege(id, 'UPDATE') then 'UPDATE' end,
        case when id is not null and not has_table_privilege(id, 'DELETE') then 'DELETE' end
    ], null)
from (select name, to_regclass($2 || name) as id from unnest($1::text[]) as names (name)) as found
order by name`

func (j *Journal) findTables(ctx context.Context) ([]table, error) {
	names := make([]string, 0, len(neededColumns()))
	for name := range neededColumns() {
		names = append(names, name)
	}
	rows, err := j.pool.Query(ctx, findTablesSQL, names, j.prefix)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (t table, err error) {
		err = row.Scan(&t.name, &t.oid, &t.columns, &t.denied)
		return t, err
	})
}

func missingTables(tables []table) []string {
	var missing []string
	for _, t := range tables {
		if t.oid == 0 {
			missing = append(missing, t.name)
		}
	}
	return missing
}

// createTables is one transaction: its settings and its lock end with it, also behind a pooler.
func (j *Journal) createTables(ctx context.Context, schema string) error {
	return pgx.BeginFunc(ctx, j.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "select pg_advisory_xact_lock($1)", int64(schemaLock)); err != nil {
			return err
		}
		if schema != "" {
			if err := server.UseSchema(ctx, tx, schema); err != nil {
				return err
			}
		}
		_, err := tx.Exec(ctx, schemaSQL)
		return err
	})
}

// checkTables names everything that is wrong at once.
func checkTables(tables []table) error {
	var problems []error
	for _, t := range tables {
		if t.oid == 0 {
			problems = append(problems, fmt.Errorf("table %s is not on the search path: add schema=NAME to DATABASE_URL", t.name))
			continue
		}
		for _, column := range neededColumns()[t.name] {
			if !slices.Contains(t.columns, column) {
				problems = append(problems, fmt.Errorf("table %s has no column %s: migrate the console's database, or use another schema", t.name, column))
			}
		}
		for _, privilege := range neededPrivileges(t.name) {
			if slices.Contains(t.denied, privilege) {
				problems = append(problems, fmt.Errorf("no permission: grant %s on %s to the user of DATABASE_URL", privilege, t.name))
			}
		}
	}
	return errors.Join(problems...)
}
