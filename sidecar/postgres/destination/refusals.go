package destination

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"sync-sidecar/sidecar/postgres/layout"
)

// refusedOneByOne is how many values of a column the server may refuse in one load before all of them are set aside.
const refusedOneByOne = 8

// refusals are the values that the server refused in the load under way. The layout sets them aside when the load is tried again, so that one bad
// value does not keep the good ones away.
type refusals struct {
	columns map[string]*refusal
	long    []string // columns of which long values do not fit into an index
	indexed bool     // that was looked for
	checked bool     // rows are checked on their way into the temporary table, too, where the server says which row it refuses
}

// refusal are those of one column.
type refusal struct {
	rows []int64
	all  bool
}

// apply sets aside what was refused.
func (r *refusals) apply(plan *layout.Plan) {
	for column, refused := range r.columns {
		for _, row := range refused.rows {
			plan.SetAside(column, row)
		}
		if refused.all {
			plan.SetAside(column, 0)
		}
	}
	plan.SetLongAside(r.long)
}

// learn says that another try can do without the value that the server refused.
func (r *refusals) learn(ctx context.Context, c *Client, w *work, err error) bool {
	refusal := (*pgconn.PgError)(nil)
	if !errors.As(err, &refusal) {
		return false
	}
	row, column := place(refusal.Where, w.copied, names(w.plan.Columns()))
	switch {
	case refusal.Code == tooLarge && !r.indexed && !strings.HasPrefix(refusal.Message, "row is too big"):
		r.indexed, r.long = true, c.indexed(ctx, w)
		return len(r.long) > 0 || row > 0 && column == "" && r.narrow(w.plan.Columns())
	case refusal.Code == tooLarge && row > 0 && column == "":
		return r.narrow(w.plan.Columns())
	case refusal.Code == untranslatable && c.lacks(refusal.Message):
		return true
	case refusal.Code == checkViolation && row == 0 && w.way != straight && !r.checked:
		r.checked = true
		return true
	case refusal.Code == checkViolation && column == "":
		column = c.constrained(ctx, w.place, refusal.ConstraintName)
	case !strings.HasPrefix(refusal.Code, "22") && refusal.Code != checkViolation && !strings.HasPrefix(refusal.Code, "54"):
		return false
	}
	return r.add(column, row)
}

// narrow sets half of the columns aside: a row has to fit into a page of the server, which takes some hundred values.
func (r *refusals) narrow(columns []layout.Column) bool {
	var wide []string
	for _, column := range columns {
		if !column.Key && !column.NotNull && column.Name != layout.Unmapped && (r.columns[column.Name] == nil || !r.columns[column.Name].all) {
			wide = append(wide, column.Name)
		}
	}
	for _, column := range wide[len(wide)/2:] {
		r.columns[column] = &refusal{all: true}
	}
	return len(wide) > 0
}

// add notes a value that was refused; false when it cannot be set aside.
func (r *refusals) add(column string, row int64) bool {
	if column == "" || row == 0 || column == layout.Unmapped {
		return false
	}
	known := r.columns[column]
	if known == nil {
		known = &refusal{}
		r.columns[column] = known
	}
	if known.all {
		return false
	}
	known.rows = append(known.rows, row)
	known.all = len(known.rows) > refusedOneByOne
	return true
}

// lineNumber is the first number in it.
var lineNumber = regexp.MustCompile(`\d+`)

// place reads `COPY orders, line 3, column total: "x"`, whose words are in the server's language: the row, and the column if it is known.
func place(where, table string, columns []string) (row int64, column string) {
	first, _, _ := strings.Cut(where, "\n")
	rest, is := strings.CutPrefix(first, "COPY "+table+",")
	if !is {
		return 0, ""
	}
	at := lineNumber.FindStringIndex(rest)
	if at == nil {
		return 0, ""
	}
	number, err := strconv.ParseInt(rest[at[0]:at[1]], 10, 64)
	if err != nil {
		return 0, ""
	}
	return number, namedIn(rest[at[1]:], columns)
}

// namedIn is the column that a text names first; of two that begin alike the longer one.
func namedIn(text string, columns []string) string {
	best, from := "", len(text)
	for _, column := range columns {
		at := strings.Index(text, " "+column)
		if at < 0 || column == "" {
			continue
		}
		after := text[at+1+len(column):]
		if after != "" && after[0] != ':' && after[0] != ',' {
			continue
		}
		if at < from || at == from && len(column) > len(best) {
			best, from = column, at
		}
	}
	return best
}

const indexedSQL = `select a.attname from pg_class c join pg_namespace n on n.oid = c.relnamespace
join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attlen = -1
where n.nspname = $1 and c.relname = $2 and exists (
    select from pg_index i where i.indrelid = c.oid and (a.attnum = any (i.indkey::int2[]) or exists (
        select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = i.indexrelid
        and d.refclassid = 'pg_class'::regclass and d.refobjid = c.oid and d.refobjsubid = a.attnum)))`

// indexed are the columns of which a long value may not fit into an index that somebody made, also into one of expressions; none when that cannot be
// found out. Those by which rows merge are not among them.
func (c *Client) indexed(ctx context.Context, w *work) []string {
	pool, err := c.connections(ctx)
	if err != nil {
		return nil
	}
	rows, err := pool.Query(ctx, indexedSQL, w.place.schema, w.place.name)
	if err != nil {
		return nil // the refusal itself is the error that counts
	}
	columns, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil
	}
	return slices.DeleteFunc(columns, func(column string) bool { return column == layout.Unmapped || slices.Contains(w.key, column) })
}

const constrainedSQL = `select coalesce(min(a.attname), '') from pg_constraint k
join pg_class c on c.oid = k.conrelid join pg_namespace n on n.oid = c.relnamespace
join pg_attribute a on a.attrelid = c.oid and a.attnum = any (k.conkey)
where n.nspname = $1 and c.relname = $2 and k.conname = $3 having count(*) = 1`

// constrained is the one column that a constraint is about; empty when there are several, or when that cannot be found out.
func (c *Client) constrained(ctx context.Context, place relation, constraint string) string {
	pool, err := c.connections(ctx)
	if err != nil {
		return ""
	}
	var column string
	if err := pool.QueryRow(ctx, constrainedSQL, place.schema, place.name, constraint).Scan(&column); err != nil {
		return "" // the refusal itself is the error that counts
	}
	return column
}
