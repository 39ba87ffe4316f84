package layout_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"unicode/utf8"

	"sync-sidecar/sidecar/postgres/layout"
)

// FuzzAppend gives any bytes as a row to a table with a column of each type. A row that is a JSON object is written, as one line of the right number
// of fields that COPY can read; nothing else makes a line that breaks the next ones.
func FuzzAppend(f *testing.F) {
	for i, value := range hostile() {
		f.Add([]byte(fmt.Sprintf(`{"c%d":%s,"c%d":%[2]s,"n":{"m":%[2]s},"n_m":1}`, i%24, value, (i+7)%24)))
		f.Add([]byte(fmt.Sprintf("\t{ \"c%d\" : %s ,\r\"\\u0063%[1]d\":%[2]s}\n", i%24, value)))
	}
	f.Add([]byte(`{"c0":"a`))
	f.Add([]byte(`{"c0":01}`))
	f.Add([]byte("{\"c0\":\"a\tb\",\"c5\":[\"\n\"]}"))
	f.Add([]byte("{\"c0\":\"\xff\",\"c5\":[\"\xff\"],\"\xff\":1}"))
	f.Fuzz(func(t *testing.T, row []byte) {
		var existing []layout.Column
		declared := ""
		for i, typeName := range roundTripTypes() {
			existing = append(existing, layout.Column{Name: fmt.Sprintf("c%d", i), Type: typeName})
			declared += fmt.Sprintf(" c%d:J", i)
		}
		plan, err := layout.NewPlan(table("t", declared, []string{"c1", "k"}, []string{"c6"}), existing, layout.Options{MaxColumns: 40})
		if err != nil {
			t.Fatal(err)
		}
		line, err := plan.Encoder().Append([]byte("before"), row)
		if errors.Is(err, layout.ErrNewColumn) {
			if err := plan.Observe(row); err != nil {
				t.Fatalf("observe after %v", err)
			}
			line, err = plan.Encoder().Append([]byte("before"), row)
		}
		if object := bytes.TrimLeft(row, " \t\r\n"); json.Valid(row) && object[0] == '{' && err != nil {
			t.Fatalf("%q: %v", row, err)
		}
		if err != nil {
			if string(line) != "before" {
				t.Fatalf("after an error: %q", line)
			}
			return
		}
		checkLine(t, line[len("before"):], len(plan.Columns()), json.Valid(row))
	})
}

// checkLine says that COPY reads a line as so many fields.
func checkLine(t *testing.T, line []byte, columns int, valid bool) {
	t.Helper()
	if bytes.IndexByte(line, '\n') != len(line)-1 || bytes.ContainsAny(line, "\r\x00") || valid && !utf8.Valid(line) {
		t.Fatalf("%q is no line", line)
	}
	fields := bytes.Split(line[:len(line)-1], []byte{'\t'})
	if len(fields) != columns {
		t.Fatalf("%d fields of %d: %q", len(fields), columns, line)
	}
	for _, field := range fields {
		if string(field) == `\N` {
			continue
		}
		for i := 0; i < len(field); i++ {
			if field[i] != '\\' {
				continue
			}
			if i++; i == len(field) || !bytes.ContainsRune([]byte(`\ntr`), rune(field[i])) {
				t.Fatalf("an escape that COPY does not have: %q", field)
			}
		}
	}
}
