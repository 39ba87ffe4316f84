package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// contestant is one of those that are compared.
type contestant struct {
	name string
	run  func(ctx context.Context) (usage, error)
}

// measured are the rounds of a contestant.
type measured []usage

// play runs all contestants once in each round, in turn.
func play(ctx context.Context, rounds int, contestants ...contestant) ([]measured, error) {
	results := make([]measured, len(contestants))
	for range rounds {
		for i, c := range contestants {
			used, err := c.run(ctx)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", c.name, err)
			}
			results[i] = append(results[i], used)
		}
	}
	return results, nil
}

// median of the values.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	if n := len(sorted); n%2 == 0 {
		return (sorted[n/2-1] + sorted[n/2]) / 2
	}
	return sorted[len(sorted)/2]
}

func (m measured) of(value func(usage) float64) float64 {
	var values []float64
	for _, used := range m {
		values = append(values, value(used))
	}
	return median(values)
}

func (m measured) wall() float64 { return m.of(func(u usage) float64 { return u.wall.Seconds() }) }
func (m measured) cpu() float64  { return m.of(func(u usage) float64 { return u.cpu.Seconds() }) }

// peak is the largest of all rounds: a bound on memory holds always or not at all.
func (m measured) peak() float64 {
	var most int64
	for _, used := range m {
		most = max(most, used.peak)
	}
	return float64(most) / (1 << 20)
}

// wallRatio is the median of the rounds' ratios of this one's time to another's.
func (m measured) wallRatio(other measured) float64 {
	var ratios []float64
	for i := range m {
		ratios = append(ratios, m[i].wall.Seconds()/other[i].wall.Seconds())
	}
	return median(ratios)
}

// table prints aligned columns.
type table struct {
	out    *tabwriter.Writer
	failed error
}

// newTable begins a table; the title says what is compared.
func newTable(out io.Writer, title string, columns ...string) *table {
	t := &table{out: tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)}
	_, t.failed = fmt.Fprintf(out, "\n%s\n", title)
	t.row(columns...)
	return t
}

func (t *table) row(cells ...string) {
	if t.failed == nil {
		_, t.failed = fmt.Fprintln(t.out, "  "+strings.Join(cells, "\t"))
	}
}

func (t *table) end() error {
	if t.failed != nil {
		return t.failed
	}
	return t.out.Flush()
}

// atLeast and atMost say whether a figure meets its goal.
func atLeast(format string, value, goal float64) string {
	return verdict(format, "≥", value, goal, value >= goal)
}
func atMost(format string, value, goal float64) string {
	return verdict(format, "≤", value, goal, value <= goal)
}

func verdict(format, sign string, value, goal float64, met bool) string {
	word := "met"
	if !met {
		word = "MISSED"
	}
	return fmt.Sprintf(format+" (goal %s %g: %s)", value, sign, goal, word)
}

func number(format string, value float64) string { return fmt.Sprintf(format, value) }

// timed measures the time of a call.
func timed(call func() (usage, error)) (usage, error) {
	began := time.Now()
	used, err := call()
	used.wall = time.Since(began)
	return used, err
}
