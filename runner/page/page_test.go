package page

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"
)

const nasty = `<script>alert(1)</script>"' onload=x` + "\x1b[2J\u202e"

// sample is a page with everything on it, about so many streams.
func sample(streams int) Page {
	p := Page{Kind: "Smoke test", Title: "my/connector " + nasty, Status: Fail, Word: "Failed", Line: "12 checks passed, 1 failed.", Seconds: 12.5,
		Samples: true,
		Made:    time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Footer: "Made by a test,",
		Facts: []Fact{{"Streams", fmt.Sprint(streams)}, {"Rows", "1,000"}, {"Time", "12s"}},
		Pace:  []Moment{{0, 0}, {3, 100}, {6, 800}, {12.5, 1000}},
		Steps: []Step{{Name: "read", Command: "read", End: "exit code 0", Seconds: 3.2, Rows: 1000, States: 3, Memory: "18 MB"}},
		Checks: []Check{{ID: "spec.exit", Claim: "spec ends well", Status: Pass, Why: "why", Do: "do"}, {ID: "image.user", Claim: "x", Status: Skip,
			Evidence: []string{"no image"}}},
	}
	for _, status := range []Status{Fail, Warn} {
		p.Checks = append(p.Checks, Check{ID: "read." + string(status), Claim: "each record fits", Status: status, Evidence: []string{nasty,
			strings.Repeat("long", 100)},
			Why: "rows are lost", Do: "correct the schema"})
	}
	for n := range streams {
		name := fmt.Sprintf("stream_%d", n)
		if n == 1 {
			name = strings.Repeat("a_very_long_name_without_a_break_", 8) + nasty
		}
		stream := Stream{Name: name, Mode: "incremental", Key: "id", Cursor: "updated_at", Status: []Status{Pass, Fail, Warn, Skip}[n%4], Word: "COMPLETE",
			Rows: int64(n * 1000), Bytes: int64(n * 5000), From: float64(n) / float64(streams) * 12, To: 12, Notes: []string{"a note"}}
		for tick := range 200 {
			stream.States = append(stream.States, float64(tick)/200*12)
		}
		for field := range min(30, 4000/streams) {
			stream.Fields = append(stream.Fields, Field{Name: fmt.Sprintf("field_%d", field), Declared: "string (timestamp_with_timezone)",
				Values: "string of 24",
				Nulls:  int64(field), Odd: field == 3, Mark: map[bool]string{true: "undeclared"}[field == 3], Sample: nasty})
		}
		p.Streams = append(p.Streams, stream)
	}
	return p
}

func TestPageIsOneFileThatNeedsNothing(t *testing.T) {
	t.Parallel()
	var text bytes.Buffer
	if err := Write(&text, sample(3)); err != nil {
		t.Fatal(err)
	}
	html := text.String()
	for _, forbidden := range []string{"<script", "http://", "https://", "src=", "@import", "url(", "\x1b", "\u202e", "ZgotmplZ", "<no value>"} {
		if strings.Contains(html, forbidden) {
			t.Errorf("the page holds %q", forbidden)
		}
	}
	if !strings.Contains(html, "&lt;script&gt;") {
		t.Error("what came from outside is not on the page, escaped")
	}
	ids := map[string]int{}
	for _, match := range regexp.MustCompile(` id="([^"]*)"`).FindAllStringSubmatch(html, -1) {
		if ids[match[1]]++; ids[match[1]] > 1 {
			t.Errorf("two elements are called %q", match[1])
		}
	}
	for _, match := range regexp.MustCompile(`href="#([^"]*)"`).FindAllStringSubmatch(html, -1) {
		if ids[match[1]] == 0 {
			t.Errorf("a link leads to %q, which is nowhere", match[1])
		}
	}
	verdict, streams := strings.Index(html, "✕ Failed"), strings.Index(html, `id="streams"`)
	if look := strings.Index(html, `id="notable"`); verdict < 0 || verdict > look || look > streams {
		t.Errorf("the verdict stands at %d, what to look at at %d, the streams at %d", verdict, look, streams)
	}
}

func TestEmptyPages(t *testing.T) {
	t.Parallel()
	for _, p := range []Page{{}, {Streams: []Stream{{Name: "empty"}}, Seconds: 1}, {Pace: []Moment{{0, 0}, {0, 0}}}} {
		var text bytes.Buffer
		if err := Write(&text, p); err != nil || !strings.Contains(text.String(), "</html>") {
			t.Errorf("%+v: %v", p, err)
		}
	}
}

func TestParts(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ part, whole, want float64 }{{1, 4, 25}, {-1, 4, 0}, {9, 4, 100}, {1, 0, 0}, {1, 3, 33.33}} {
		if got := percent(test.part, test.whole); got != test.want {
			t.Errorf("%v of %v is %v %%, want %v", test.part, test.whole, got, test.want)
		}
	}
	for text, want := range map[string]string{"": "", "a text": "A text.", "Ends.": "Ends.", "über": "Über."} {
		if got := sentence(text); got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
	groups := sample(1).Groups()
	if len(groups) != 3 || groups[2].Name != "read" || groups[2].Status != Fail || groups[1].Status != Skip {
		t.Errorf("%+v", groups)
	}
}
