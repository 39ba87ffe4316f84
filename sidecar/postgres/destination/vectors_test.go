package destination

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
	"sync-sidecar/sidecar/postgres/postgrestest"
)

// vector is rows and the table that Bulker makes of them, or this product (layout/testdata/README.md).
type vector struct {
	No     int
	Table  string
	Create string // the columns of a table that is there before
	Steps  []vectorStep
}

type vectorStep struct {
	Step struct {
		Mode, Schema string
		Same         bool
		PK, Disc     []string
		Rows         []string
		Opts         struct{ MaxColumnsCount int }
	}
	Columns, Rows []string
}

func readVectors(t *testing.T, path string) []vector {
	t.Helper()
	content, err := os.ReadFile(path)
	must(t, err)
	var all []vector
	must(t, json.Unmarshal(content, &all))
	return all
}

// TestVectors makes the tables that Bulker made of the same rows, or better ones, from end to end.
func TestVectors(t *testing.T) {
	t.Parallel()
	better := readVectors(t, "../layout/testdata/better.json")
	vectors := slices.DeleteFunc(readVectors(t, "../layout/testdata/vectors.json"), func(v vector) bool {
		return slices.ContainsFunc(better, func(other vector) bool { return other.No == v.No })
	})
	for _, v := range append(vectors, better...) {
		if v.Steps[0].Step.Opts.MaxColumnsCount > 0 {
			continue // no setting of this product
		}
		if v.No == 20 {
			v.Steps[2].Rows = v.Steps[1].Rows // a key that somebody relies on stays, and rows merge by it
		}
		t.Run(fmt.Sprint(v.No, v.Table), func(t *testing.T) {
			t.Parallel()
			v.play(t)
		})
	}
}

func (v vector) play(t *testing.T) {
	t.Helper()
	url := postgrestest.Database(t)
	if v.Create != "" {
		postgrestest.Exec(t, url, "create table "+quote(v.Table)+" ("+v.Create+")")
	}
	for i, step := range v.Steps {
		declared := step.table(v.Table)
		r := begin(t, url, func(o *Options) { o.ToSameCase = step.Step.Same }, nil, declared)
		mode := sidecar.Append
		if step.Step.Mode == "replace_table" {
			mode = sidecar.ReplaceWhole
		}
		must(t, r.load(0, mode, step.Step.Rows...))
		place := r.targets[declared.Stream].place
		columns := postgrestest.Query(t, url, `select attname || ' ' || format_type(atttypid, atttypmod)
				|| case when attnotnull then ' NOT NULL' else '' end || coalesce(' DEFAULT ' || pg_get_expr(adbin, adrelid), '')
			from pg_attribute left join pg_attrdef on adrelid = attrelid and adnum = attnum
			where attrelid = $1::regclass and attnum > 0 and not attisdropped order by attnum`, place.sql())
		equalLines(t, fmt.Sprintf("columns after step %d", i+1), columns, step.Columns...)
		got, want := rowsOf(t, url, place.sql()), slices.Clone(step.Rows)
		slices.Sort(got)
		slices.Sort(want)
		equalLines(t, fmt.Sprintf("rows after step %d", i+1), got, want...)
		if len(step.Step.PK) > 0 {
			keys := postgrestest.Query(t, url, `select conname from pg_constraint where conrelid = $1::regclass and contype = 'p'`, place.sql())
			if len(keys) != 1 {
				t.Errorf("primary keys after step %d: %q", i+1, keys)
			}
		}
	}
}

// table is what a stream with columns declared as "name:type" becomes.
func (s vectorStep) table(name string) sidecar.Table {
	var fields []string
	for _, column := range strings.Fields(s.Step.Schema) {
		property, letter, _ := strings.Cut(column, ":")
		schema := map[string]string{"I": `{"type":"integer"}`, "S": `{"type":"string"}`, "T": `{"type":"string","format":"date-time"}`,
			"J": `{"type":"object"}`, "F": `{"type":"number"}`, "B": `{"type":"boolean"}`}[letter]
		fields = append(fields, fmt.Sprintf("%q:%s", property, schema))
	}
	made := table(name, properties(strings.Join(fields, ",")), s.Step.PK...)
	made.Cursor = s.Step.Disc
	made.Stream = airbyte.StreamDescriptor{Name: "stream"}
	return made
}
