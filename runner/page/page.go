// Package page writes one HTML page about what was found of a connector: the verdict first, then what failed, the streams with their shapes, the time
// it took, every check. The page is one file: it opens without a network and needs no script, reads well on a phone and in the dark. A model comes
// in (Page), and HTML goes out; nothing is decided here, and everything from outside is escaped by html/template.
package page

import (
	"embed"
	"fmt"
	"html/template"
	"io"
	"math"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"sync-sidecar/runner/figure"
	"sync-sidecar/sidecar/printable"
)

// Status is how something went; it chooses the mark and the colour.
type Status string

// What something can be.
const (
	Pass Status = "pass"
	Warn Status = "warn"
	Fail Status = "fail"
	Skip Status = "skip"
)

// Page is the whole.
type Page struct {
	Kind   string // what it is about, as in "Smoke test"
	Title  string // the connector
	Status Status
	Word   string // the verdict in a word
	Line   string // and in a sentence
	Made   time.Time
	Facts  []Fact
	// Checks are all that were judged, in order; those that failed or warn are told in full at the top.
	Checks  []Check
	Streams []Stream
	// Seconds is how long the read of the streams took; Pace how many rows there were at what time.
	Seconds float64
	Pace    []Moment
	Steps   []Step
	// Samples says that the fields have values.
	Samples bool
	Footer  string
}

// Fact is a figure with its name.
type Fact struct{ Name, Value string }

// Check is one thing that was looked at.
type Check struct {
	ID, Claim string
	Status    Status
	Evidence  []string
	Why, Do   string
}

// Group is the part of the id before the dot.
func (c Check) Group() string {
	before, _, _ := strings.Cut(c.ID, ".")
	return before
}

// Stream is one stream.
type Stream struct {
	Name, Mode, Key, Cursor string
	Status                  Status
	Word                    string // its last status
	Rows, Bytes             int64
	Notes                   []string
	Fields                  []Field
	// From and To are when its first and last row came, in seconds; States when its states did.
	From, To float64
	States   []float64
}

// Field is one field of a stream.
type Field struct {
	Name, Declared, Values, Sample string
	Nulls                          int64 // in percent
	Odd                            bool  // not in the schema, or never seen
	Mark                           string
}

// Moment is how many rows there were at a time.
type Moment struct {
	Seconds float64
	Rows    int64
}

// Step is one command.
type Step struct {
	Name, Command, End string
	Seconds            float64
	Rows               int64
	States             int
	Memory             string
}

//go:embed page.html.tmpl page.css
var files embed.FS

// Write writes the page.
func Write(w io.Writer, p Page) error {
	style, err := files.ReadFile("page.css")
	if err != nil {
		return fmt.Errorf("make the page: %w", err)
	}
	made, err := template.New("page.html.tmpl").Funcs(template.FuncMap{
		"style": func() template.CSS { return template.CSS(style) }, //nolint:gosec // our own file
		"count": figure.Thousands, "size": figure.Size, "clock": figure.Clock, "text": printable.Line, "sentence": sentence, "word": word, "mark": mark,
		"percent": percent, "slack": func(to, whole float64) float64 { return whole - to },
	}).ParseFS(files, "page.html.tmpl")
	if err != nil {
		return fmt.Errorf("make the page: %w", err)
	}
	if err := made.Execute(w, p); err != nil {
		return fmt.Errorf("make the page: %w", err)
	}
	return nil
}

// sentence is a text with a capital at its beginning and a full stop at its end.
func sentence(text string) string {
	text = printable.Line(text)
	if text == "" {
		return ""
	}
	first, length := utf8.DecodeRuneInString(text)
	if text = string(unicode.ToUpper(first)) + text[length:]; !strings.HasSuffix(text, ".") {
		text += "."
	}
	return text
}

func word(s Status) string {
	return map[Status]string{Pass: "passed", Warn: "warning", Fail: "failed", Skip: "skipped"}[s]
}

func mark(s Status) string {
	return map[Status]string{Pass: "✓", Warn: "!", Fail: "✕", Skip: "–"}[s]
}

// percent is a part of the whole, for the width of a bar.
func percent(part, whole float64) float64 {
	if whole <= 0 || math.IsNaN(part) {
		return 0
	}
	return math.Round(max(0, min(100, 100*part/whole))*100) / 100
}

// Of are the checks with a status.
func (p Page) Of(status Status) []Check {
	var all []Check
	for _, check := range p.Checks {
		if check.Status == status {
			all = append(all, check)
		}
	}
	return all
}

// Notable are the checks to look at, failures first.
func (p Page) Notable() []Check { return append(p.Of(Fail), p.Of(Warn)...) }

// Group is the checks of one kind.
type Group struct {
	Name   string
	Status Status // the worst
	Checks []Check
}

// Groups are the checks by kind, in order.
func (p Page) Groups() []Group {
	var all []Group
	rank := map[Status]int{Skip: 0, Pass: 1, Warn: 2, Fail: 3}
	for _, check := range p.Checks {
		if len(all) == 0 || all[len(all)-1].Name != check.Group() {
			all = append(all, Group{Name: check.Group(), Status: Skip})
		}
		last := &all[len(all)-1]
		last.Checks = append(last.Checks, check)
		if rank[check.Status] > rank[last.Status] {
			last.Status = check.Status
		}
	}
	return all
}

// Rows are those of all streams.
func (p Page) Rows() int64 {
	var sum int64
	for _, stream := range p.Streams {
		sum += stream.Rows
	}
	return sum
}

// The size of the chart, in its own units.
const (
	chartWidth  = 600.0
	chartHeight = 120.0
)

// Chart is the line of the rows over time, as the points of a polyline that is closed along its foot; empty without enough moments.
func (p Page) Chart() string {
	if len(p.Pace) < 2 || p.Seconds <= 0 {
		return ""
	}
	most := float64(p.Pace[len(p.Pace)-1].Rows)
	points := []string{"0," + number(chartHeight)}
	end := 0.0
	for _, moment := range p.Pace {
		end = percent(moment.Seconds, p.Seconds) / 100 * chartWidth
		points = append(points, number(end)+","+number(chartHeight-chartHeight*percent(float64(moment.Rows), most)/100))
	}
	return strings.Join(append(points, number(chartWidth)+",0", number(chartWidth)+","+number(chartHeight)), " ")
}

func number(f float64) string { return fmt.Sprintf("%.1f", f) }

// ticks bounds the states that are drawn of a stream.
const ticks = 60

// Ticks are the states of a stream that are drawn.
func (s Stream) Ticks() []float64 {
	if len(s.States) <= ticks {
		return s.States
	}
	var kept []float64
	for i := range ticks {
		kept = append(kept, s.States[i*len(s.States)/ticks])
	}
	return kept
}

// HasStates says whether states are drawn.
func (p Page) HasStates() bool {
	return slices.ContainsFunc(p.Streams, func(s Stream) bool { return len(s.States) > 0 })
}

// MadeAt is when the page was made.
func (p Page) MadeAt() string { return p.Made.UTC().Format("2 January 2006, 15:04 MST") }
