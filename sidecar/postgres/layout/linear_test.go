package layout_test

import (
	"fmt"
	"strings"
	"testing"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/postgres/layout"
)

// TestWorkIsLinear: a row that says the same thing over and over, or has keys without end, costs no more than its length.
func TestWorkIsLinear(t *testing.T) { //nolint:paralleltest // it measures
	for name, row := range map[string]func(n int) string{
		"the same key":     func(n int) string { return "{" + strings.Repeat(`"a":1,`, n) + `"a":2}` },
		"an empty object":  func(n int) string { return "{" + object(n/10) + strings.Repeat(`,"o":{}`, n) + "}" },
		"a small object":   func(n int) string { return "{" + object(n/10) + strings.Repeat(`,"o":{"k1":1}`, n) + "}" },
		"one column":       func(n int) string { return "{" + strings.Repeat(`"a.b":1,"a_b":2,`, n/2) + `"a":2}` },
		"keys without end": func(n int) string { return "{" + object(n) + "}" },
		"deep objects":     func(n int) string { return strings.Repeat(`{"a":`, n/10) + "1" + strings.Repeat("}", n/10) },
		"a number":         func(n int) string { return `{"a":` + strings.Repeat("9", n) + `,"b":0.` + strings.Repeat("9", n) + "}" },
		"escapes": func(n int) string {
			return `{"a":"` + strings.Repeat(`\u0000\ud800`, n) + `","b":["` + strings.Repeat(`\u0000\\`, n) + `"]}`
		},
	} {
		t.Run(name, func(t *testing.T) {
			const n, times, limit = 3_000, 8, 32 // linear work grows by 8, quadratic by 64
			small, large := row(n), row(times*n)
			if growth := leastCPU(t, large) / leastCPU(t, small); growth > limit {
				t.Errorf("%d times the row costs %.0f times the work", times, growth)
			}
		})
	}
}

func object(keys int) string {
	members := make([]string, keys)
	for n := range members {
		members[n] = fmt.Sprintf(`"k%d":%[1]d`, n)
	}
	return `"o":{` + strings.Join(members, ",") + "}"
}

// leastCPU is the least processor time, in seconds, that a row costs in several runs.
func leastCPU(t *testing.T, row string) float64 {
	t.Helper()
	const runs = 4
	least := 0.0
	for n := range runs {
		plan, err := layout.NewPlan(sidecar.Table{Name: "t"}, nil, layout.Options{MaxColumns: 2})
		if err != nil {
			t.Fatal(err)
		}
		began := busy(t)
		encode(t, plan, []string{row, row})
		if spent := (busy(t) - began).Seconds(); n == 0 || spent < least {
			least = spent
		}
	}
	return max(least, 1e-4) // less is not measured well
}

// TestEndlessKeys: rows whose keys are data, as in an object of one entry for each customer, do not fill the memory.
func TestEndlessKeys(t *testing.T) { //nolint:paralleltest // it looks at the memory
	plan, err := layout.NewPlan(sidecar.Table{Name: "t"}, nil, layout.Options{MaxColumns: 3})
	if err != nil {
		t.Fatal(err)
	}
	const keys = 50_000
	row := func(n int) []byte { return fmt.Appendf(nil, `{"o":{"customer %d":%[1]d}}`, n) }
	for n := range keys {
		if err := plan.Observe(row(n)); err != nil {
			t.Fatal(err)
		}
	}
	encoder, line := plan.Encoder(), []byte(nil)
	for n := range keys {
		if line, err = encoder.Append(line[:0], row(n)); err != nil {
			t.Fatal(err)
		}
		if n >= 3 && string(line) != fmt.Sprintf("\\N\t\\N\t\\N\t{\"o_customer %d\":%[1]d}\n", n) {
			t.Fatalf("row %d: %q", n, line)
		}
	}
	if notes := encoder.Notes(); len(notes) != 1 || notes[0].Count != keys-3 || notes[0].Row != 4 {
		t.Errorf("notes %v", notes)
	}
}
