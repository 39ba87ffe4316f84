package layout_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/postgres/layout"
	"sync-sidecar/sidecar/postgres/postgrestest"
)

// database is a Postgres with one connection.
type database struct {
	testing.TB
	conn *pgx.Conn
}

func connect(t testing.TB) *database {
	t.Helper()
	url := postgrestest.Database(t)
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		conn.Close(ctx)
	})
	d := &database{TB: t, conn: conn}
	d.exec("set timezone to 'UTC'")
	return d
}

func (d *database) exec(sql string) {
	d.Helper()
	if _, err := d.conn.Exec(d.Context(), sql); err != nil {
		d.Fatalf("%s: %v", sql, err)
	}
}

// texts is the first column of a query.
func (d *database) texts(sql string, args ...any) []string {
	d.Helper()
	rows, err := d.conn.Query(d.Context(), sql, args...)
	if err != nil {
		d.Fatalf("%s: %v", sql, err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		d.Fatalf("%s: %v", sql, err)
	}
	return found
}

// columns are those of a table as a destination reads them; nil when there is no table.
func (d *database) columns(table string) []layout.Column {
	d.Helper()
	rows, err := d.conn.Query(d.Context(), `
		select attname, format_type(case typtype when 'd' then typbasetype else atttypid end, case typtype when 'd' then typtypmod else atttypmod end),
			attnotnull, case attgenerated when '' then coalesce(pg_get_expr(adbin, adrelid), '') else '' end, attgenerated <> '',
			array(select enumlabel::text from pg_enum where enumtypid = atttypid)
		from pg_attribute join pg_type on pg_type.oid = atttypid left join pg_attrdef on adrelid = attrelid and adnum = attnum
		where attrelid = to_regclass($1) and attnum > 0 and not attisdropped order by attnum`, name(table))
	if err != nil {
		d.Fatal(err)
	}
	found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (c layout.Column, err error) {
		err = row.Scan(&c.Name, &c.Type, &c.NotNull, &c.Default, &c.Generated, &c.Labels)
		return c, err
	})
	if err != nil {
		d.Fatal(err)
	}
	if len(found) == 0 && len(d.texts("select 'there' where to_regclass($1) is not null", name(table))) == 0 {
		return nil
	}
	return found
}

// printed are the columns of a table as SQL.
func (d *database) printed(table string) []string {
	d.Helper()
	return d.texts(`select attname || ' ' || format_type(atttypid, atttypmod) || case when attnotnull then ' NOT NULL' else '' end
			|| coalesce(' DEFAULT ' || pg_get_expr(adbin, adrelid), '')
		from pg_attribute left join pg_attrdef on adrelid = attrelid and adnum = attnum
		where attrelid = to_regclass($1) and attnum > 0 and not attisdropped order by attnum`, name(table))
}

func name(text string) string { return pgx.Identifier{text}.Sanitize() }

func names(columns []string) string {
	quoted := make([]string, len(columns))
	for i, column := range columns {
		quoted[i] = name(column)
	}
	return strings.Join(quoted, ", ")
}

func columnNames(columns []layout.Column) []string {
	all := make([]string, len(columns))
	for i, column := range columns {
		all[i] = column.Name
	}
	return all
}

// load is what a destination does with a batch of rows, without its care for failures.
func (d *database) load(table sidecar.Table, o layout.Options, replace bool, rows []string) *layout.Encoder {
	d.Helper()
	target := layout.TableName(table.Name, o)
	plan, err := layout.NewPlan(table, d.columns(target), o)
	if err != nil {
		d.Fatal(err)
	}
	lines, encoder := encode(d, plan, rows)
	d.make(target, plan)
	d.exec("create temp table staged (" + definitions(plan.Columns(), false) + ") on commit preserve rows")
	all := columnNames(plan.Columns())
	if len(all) > 0 {
		d.copy("staged", all, lines)
	}
	if replace {
		d.exec("delete from " + name(target))
	}
	if len(rows) > 0 {
		d.exec(merge(target, plan, columnNames(encoder.Seen())))
	}
	d.exec("drop table staged")
	return encoder
}

// encode encodes rows as a destination does: once more when a column was missing.
func encode(t testing.TB, plan *layout.Plan, rows []string) ([]byte, *layout.Encoder) {
	t.Helper()
	for range 2 {
		encoder, lines, again := plan.Encoder(), []byte(nil), false
		for _, row := range rows {
			before := len(lines)
			var err error
			if lines, err = encoder.Append(lines, []byte(row)); errors.Is(err, layout.ErrNewColumn) && len(lines) == before {
				again = true
				break
			} else if err != nil {
				t.Fatalf("%s: %v", row, err)
			}
		}
		if !again {
			return lines, encoder
		}
		for _, row := range rows {
			if err := plan.Observe([]byte(row)); err != nil {
				t.Fatalf("%s: %v", row, err)
			}
		}
	}
	t.Fatal("a column is missing after all rows were observed")
	return nil, nil
}

func (d *database) copy(table string, columns []string, lines []byte) {
	d.Helper()
	sql := fmt.Sprintf("copy %s (%s) from stdin", name(table), names(columns))
	if _, err := d.conn.PgConn().CopyFrom(d.Context(), bytes.NewReader(lines), sql); err != nil {
		d.Fatalf("copy: %v\n%.2000s", err, lines)
	}
}

// definitions are columns as SQL.
func definitions(columns []layout.Column, constraints bool) string {
	defined := make([]string, len(columns))
	for i, c := range columns {
		defined[i] = name(c.Name) + " " + c.Type
		if c.NotNull && constraints {
			defined[i] += " not null"
		}
		if c.Default != "" && constraints {
			defined[i] += " default " + c.Default
		}
	}
	return strings.Join(defined, ", ")
}

// make makes the table, or adds what it lacks.
func (d *database) make(target string, plan *layout.Plan) {
	d.Helper()
	if d.columns(target) != nil {
		for _, c := range plan.Missing() {
			d.exec("alter table " + name(target) + " add column " + definitions([]layout.Column{c}, true))
		}
		return
	}
	d.exec("create table " + name(target) + " (" + definitions(plan.Missing(), true) + ")")
	if key := plan.Key(); len(key) > 0 {
		d.exec("alter table " + name(target) + " add primary key (" + names(key) + ")")
	}
}

// merge moves the staged rows into the table.
func merge(target string, plan *layout.Plan, seen []string) string {
	key, columns := plan.Key(), names(seen)
	if len(key) == 0 {
		return fmt.Sprintf("insert into %s (%s) select %[2]s from staged order by ctid", name(target), columns)
	}
	newest, newer := "", ""
	if cursor := plan.Cursor(); cursor != "" {
		newest = name(cursor) + " desc nulls last, "
		newer = fmt.Sprintf(" where t.%s is null or excluded.%[1]s >= t.%[1]s", name(cursor))
	}
	sets := make([]string, len(seen))
	for i, column := range seen {
		sets[i] = fmt.Sprintf("%s = excluded.%[1]s", name(column))
	}
	return fmt.Sprintf(`insert into %s as t (%s) select distinct on (%s) %s from staged order by %s, %s ctid desc
		on conflict (%s) do update set %s%s`,
		name(target), columns, names(key), columns, names(key), newest, names(key), strings.Join(sets, ", "), newer)
}

// where is the context of a server's error.
func where(err error) string {
	if refusal := (*pgconn.PgError)(nil); errors.As(err, &refusal) {
		return refusal.Where
	}
	return ""
}
