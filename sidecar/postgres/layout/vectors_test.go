package layout_test

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/postgres/layout"
)

// vector is rows and the table that they make (testdata/README.md).
type vector struct {
	No         int
	Why, Table string
	Create     string // the columns of a table that is there before
	Steps      []struct {
		Step struct {
			Mode, Schema string
			Same         bool
			PK, Disc     []string
			Rows         []string
			Opts         struct{ MaxColumnsCount int }
		}
		Columns, Rows []string
	}
}

func readVectors(t *testing.T, path string) []vector {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var all []vector
	if err := json.Unmarshal(content, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// TestVectors makes the tables that Bulker made of the same rows, or better ones.
func TestVectors(t *testing.T) {
	t.Parallel()
	better := readVectors(t, "testdata/better.json")
	vectors := slices.DeleteFunc(readVectors(t, "testdata/vectors.json"), func(v vector) bool {
		return slices.ContainsFunc(better, func(other vector) bool { return other.No == v.No })
	})
	for _, v := range append(vectors, better...) {
		t.Run(fmt.Sprintf("%d %s", v.No, v.Why), func(t *testing.T) {
			t.Parallel()
			d := connect(t)
			if v.No == 20 {
				v.Steps = v.Steps[:1] // which constraint a table has is the destination's
			}
			if v.Create != "" {
				d.exec("create table " + name(v.Table) + " (" + v.Create + ")")
			}
			for i, step := range v.Steps {
				options := layout.Options{ToSameCase: step.Step.Same, MaxColumns: step.Step.Opts.MaxColumnsCount}
				d.load(table(v.Table, step.Step.Schema, step.Step.PK, step.Step.Disc), options, step.Step.Mode == "replace_table", step.Step.Rows)
				target := layout.TableName(v.Table, options)
				equal(t, fmt.Sprintf("columns after step %d", i+1), d.printed(target), step.Columns)
				got, want := d.texts("select to_jsonb(r)::text from "+name(target)+" r"), slices.Clone(step.Rows)
				slices.Sort(got)
				slices.Sort(want)
				equal(t, fmt.Sprintf("rows after step %d", i+1), got, want)
			}
		})
	}
}

// table is a table with columns declared as "name:type".
func table(name, declared string, key, cursor []string) sidecar.Table {
	var properties []string
	for _, column := range strings.Fields(declared) {
		property, letter, _ := strings.Cut(column, ":")
		schema := map[string]string{"I": `{"type":"integer"}`, "S": `{"type":"string"}`, "T": `{"type":"string","format":"date-time"}`,
			"J": `{"type":"object"}`, "F": `{"type":"number"}`, "B": `{"type":"boolean"}`}[letter]
		properties = append(properties, fmt.Sprintf("%q:%s", property, schema))
	}
	made := sidecar.Table{Name: name, Cursor: cursor, Schema: json.RawMessage(`{"properties":{` + strings.Join(properties, ",") + `}}`)}
	for _, part := range key {
		made.PrimaryKey = append(made.PrimaryKey, []string{part})
	}
	return made
}

func equal(t testing.TB, what string, got, want []string) {
	t.Helper()
	if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
		t.Errorf("%s:\n got %q\nwant %q", what, got, want)
	}
}
