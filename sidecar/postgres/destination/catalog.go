package destination

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/postgres/layout"
)

// querier is a pool or a transaction.
type querier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// found is a table as the catalog of the server describes it.
type found struct {
	Kind         string   `json:"kind"` // relkind
	Columns      []column `json:"columns"`
	Width        int      `json:"width"` // how many columns it has, with those that were dropped
	Key          []string `json:"key"`   // columns of the primary key, in order
	KeyName      string   `json:"key_name"`
	Unique       [][]string
	Uniques      []string `json:"uniques"`  // columns of unique indexes over columns alone, as JSON arrays, sorted
	Referenced   bool     `json:"referred"` // foreign keys point to it
	Referred     []string `json:"referred_columns"`
	RowSecurity  bool     `json:"row_security"` // hides rows from us
	Keepers      []string `json:"keepers"`      // triggers and rules that may keep rows from being deleted
	Owned        bool     `json:"owned"`        // by a role that we are a member of
	Denied       []string `json:"denied"`       // of SELECT, INSERT, UPDATE and DELETE, those that we do not have
	SchemaExists bool     `json:"schema_exists"`
}

// column is one of a table's.
type column struct {
	Name      string   `json:"name"`
	Type      string   `json:"type"` // as format_type prints it; of a domain that of its base
	NotNull   bool     `json:"not_null"`
	Generated bool     `json:"generated"` // its values cannot be given
	Default   string   `json:"default"`   // there is one; empty is none
	Labels    []string `json:"labels"`    // of an enum, in their order
	Category  string   `json:"category"`  // typcategory of the type
}

// exists says that there is a table.
func (f *found) exists() bool { return f.Kind != "" }

// findSQL finds a table by its exact names: ILIKE would take _ and % for wildcards, and to_regclass sees only what we may use. It waits for no
// lock, as pg_get_expr would.
const findSQL = `
with recursive domains as ( -- each with all that it is made of
    select oid, typbasetype, typtypmod, typnotnull from pg_type where typtype = 'd'
    union all
    select d.oid, t.typbasetype, t.typtypmod, t.typnotnull from domains d join pg_type t on t.oid = d.typbasetype and t.typtype = 'd'
), bases as (
    select d.oid, max(d.typtypmod) as typmod, bool_or(d.typnotnull) as not_null, max(d.typbasetype) filter (where t.typtype <> 'd') as base
    from domains d join pg_type t on t.oid = d.typbasetype group by d.oid
)
select jsonb_build_object(
    'schema_exists', exists (select from pg_namespace where nspname = $1),
    'kind', coalesce(c.relkind::text, ''), 'width', coalesce(c.relnatts, 0),
    'columns', (
        select coalesce(jsonb_agg(jsonb_build_object('name', a.attname,
            'type', format_type(t.oid, coalesce(d.typmod, a.atttypmod)), 'category', t.typcategory,
            'not_null', a.attnotnull or coalesce(d.not_null, false), 'generated', a.attgenerated <> '' or a.attidentity = 'a',
            'default', case when a.atthasdef or a.attidentity <> '' or declared.typdefault is not null then 'default' else '' end,
            'labels', case t.typtype when 'e' then (
                select jsonb_agg(e.enumlabel order by e.enumsortorder) from pg_enum e where e.enumtypid = t.oid) end)
            order by a.attnum), '[]')
        from pg_attribute a join pg_type declared on declared.oid = a.atttypid
        left join bases d on d.oid = a.atttypid
        join pg_type t on t.oid = coalesce(d.base, a.atttypid)
        where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped),
    'key', (
        select coalesce(jsonb_agg(a.attname order by k.n), '[]')
        from pg_constraint p, unnest(p.conkey) with ordinality k (attnum, n), pg_attribute a
        where p.conrelid = c.oid and p.contype = 'p' and a.attrelid = c.oid and a.attnum = k.attnum),
    'key_name', coalesce((select p.conname from pg_constraint p where p.conrelid = c.oid and p.contype = 'p'), ''),
    'uniques', (
        select coalesce(jsonb_agg(u.columns), '[]') from (
            select (select jsonb_agg(a.attname order by a.attname)::text from pg_attribute a
                where a.attrelid = c.oid and a.attnum = any (i.indkey::int2[])) as columns
            from pg_index i
            where i.indrelid = c.oid and i.indisunique and i.indisvalid and i.indimmediate and i.indpred is null and i.indexprs is null
                and i.indnatts = i.indnkeyatts) u),
    'referred', exists (select from pg_constraint f where f.confrelid = c.oid and f.contype = 'f'),
    'referred_columns', (
        select coalesce(jsonb_agg(a.attname order by k.n), '[]')
        from (select f.confkey from pg_constraint f where f.confrelid = c.oid and f.contype = 'f' order by f.oid limit 1) f,
            unnest(f.confkey) with ordinality k (attnum, n), pg_attribute a
        where a.attrelid = c.oid and a.attnum = k.attnum),
    'row_security', coalesce(row_security_active(c.oid), false),
    'keepers', (
        select coalesce(jsonb_agg(k.name order by k.name), '[]') from (
            select 'trigger ' || quote_ident(g.tgname) as name from pg_trigger g
            where g.tgrelid = c.oid and not g.tgisinternal and g.tgenabled in ('O', 'A') and g.tgtype & 11 = 11 -- before each row is deleted
            union all
            select 'rule ' || quote_ident(r.rulename) from pg_rewrite r
            where r.ev_class = c.oid and r.ev_type = '4' and r.is_instead and r.ev_enabled in ('O', 'A')) k),
    'owned', coalesce(pg_has_role(c.relowner, 'USAGE'), false),
    'denied', (
        select coalesce(jsonb_agg(p), '[]') from unnest(array['SELECT', 'INSERT', 'UPDATE', 'DELETE']) p
        where c.oid is not null and not has_table_privilege(c.oid, p)))::text
from (select $1::text as nspname, $2::text as relname) asked
left join (pg_class c join pg_namespace n on n.oid = c.relnamespace) on n.nspname = asked.nspname and c.relname = asked.relname`

// find asks the catalog for a table.
func find(ctx context.Context, on querier, place relation) (*found, error) {
	var text string
	if err := on.QueryRow(ctx, findSQL, place.schema, place.name).Scan(&text); err != nil {
		return nil, err
	}
	f := &found{}
	if err := json.Unmarshal([]byte(text), f); err != nil {
		return nil, fmt.Errorf("read the catalog: %w", err)
	}
	for _, unique := range f.Uniques {
		var columns []string
		if err := json.Unmarshal([]byte(unique), &columns); err != nil {
			return nil, fmt.Errorf("read the catalog: %w", err)
		}
		f.Unique = append(f.Unique, columns)
	}
	return f, nil
}

// usable is an error when the table is none that takes rows, or when the user lacks one of these privileges.
func (f *found) usable(place relation, user string, needed ...string) error {
	refused := func(format string, args ...any) error {
		return &sidecar.LoadError{Permanent: true, Message: fmt.Sprintf(format, args...)}
	}
	const otherwise = "rename it, or the stream, or set TABLE_NAME_PREFIX"
	switch f.Kind {
	case "", "r", "p":
	case "v":
		return refused("%s is a view: %s", place, otherwise)
	case "m":
		return refused("%s is a materialized view: %s", place, otherwise)
	case "f":
		return refused("%s is a foreign table: %s", place, otherwise)
	default:
		return refused("%s is no table, but a sequence, an index or a type: %s", place, otherwise)
	}
	denied := slices.DeleteFunc(slices.Clone(needed), func(privilege string) bool { return !slices.Contains(f.Denied, privilege) })
	switch {
	case f.RowSecurity:
		return refused("row-level security of table %s applies to our user, who must see every row: "+
			"make it the table's owner, or give it BYPASSRLS (ALTER ROLE … BYPASSRLS)", place)
	case len(denied) > 0:
		return refused("the user lacks a right: GRANT %s ON %s TO %s", joined(denied), place, user)
	}
	return nil
}

// room is how many columns the table can have: one that was dropped takes the room of another for ever.
func (f *found) room() int {
	const most = 1600 - 1 // and _unmapped_data
	return max(1, most-(f.Width-len(f.Columns)))
}

// serial is the column of a primary key that somebody made which the server fills where a row has no value; empty when there is none, or several.
func (f *found) serial() string {
	name := ""
	for _, c := range f.Columns {
		if c.Default == "" || c.Generated || !slices.Contains(f.Key, c.Name) {
			continue
		}
		if name != "" || strings.HasPrefix(f.KeyName, keyPrefix) {
			return ""
		}
		name = c.Name
	}
	return name
}

// layoutColumns are those that rows can fill, for the layout. A row may have none for the column serial.
func (f *found) layoutColumns(serial string) []layout.Column {
	if !f.exists() {
		return nil
	}
	columns := make([]layout.Column, 0, len(f.Columns))
	for _, c := range f.Columns {
		columns = append(columns, layout.Column{Name: c.Name, Type: c.Type, NotNull: c.NotNull && c.Name != serial, Default: c.Default,
			Generated: c.Generated, Labels: c.Labels, Category: c.Category, Key: slices.Contains(f.Key, c.Name)})
	}
	return columns
}

// unique says that the table lets no two rows have the same values in these columns.
func (f *found) unique(columns []string) bool {
	sorted := slices.Sorted(slices.Values(columns))
	return slices.ContainsFunc(f.Unique, func(unique []string) bool { return slices.Equal(slices.Sorted(slices.Values(unique)), sorted) })
}

// arbiter are columns by which rows of the table can be told apart: its primary key, or what foreign keys refer to; none when there is neither.
func (f *found) arbiter() []string {
	if len(f.Key) > 0 {
		return f.Key
	}
	return f.Referred
}

// lacks are the columns of another table that this one does not have, and those of the other that can be filled here.
func (f *found) lacks(other *found) (missing []layout.Column, columns []string) {
	for _, c := range other.layoutColumns("") {
		at := slices.IndexFunc(f.Columns, func(own column) bool { return own.Name == c.Name })
		switch {
		case at < 0:
			c.NotNull, c.Default = false, ""
			missing = append(missing, c)
		case f.Columns[at].Generated:
			continue
		}
		columns = append(columns, c.Name)
	}
	return missing, columns
}

// empty says that a table holds no row.
func empty(ctx context.Context, on querier, place relation) (bool, error) {
	var filled bool
	err := on.QueryRow(ctx, "select exists (select from "+place.sql()+")").Scan(&filled)
	return !filled, err
}

// errNoRows is that of pgx.
func isNoRows(err error) bool { return errors.Is(err, pgx.ErrNoRows) }
