package console

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sync-sidecar/runner"
	"sync-sidecar/runner/figure"
	"sync-sidecar/sidecar"
)

func TestFormats(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1234: "-1,234", -123: "-123"} {
		if got := figure.Thousands(n); got != want {
			t.Errorf("%d is %s, want %s", n, got, want)
		}
	}
	for bytes, want := range map[int64]string{0: "0 B", 999: "999 B", 1000: "1.0 KB", 45_200_000: "45.2 MB", 999_999: "1.0 MB", 310_000_000: "310 MB"} {
		if got := figure.Size(bytes); got != want {
			t.Errorf("%d is %s, want %s", bytes, got, want)
		}
	}
	for seconds, want := range map[float64]string{0: "0s", 0.004: "0s", 0.044: "40ms", 0.96: "960ms", 9.96: "10s", 1.23: "1.2s", 75.4: "1m15s"} {
		if got := figure.Clock(seconds); got != want {
			t.Errorf("%v is %s, want %s", seconds, got, want)
		}
	}
	if got := percent(999, 1000); got != 99 {
		t.Errorf("almost all is %d%%", got)
	}
	if got := percent(1200, 1000); got != 100 {
		t.Errorf("more than expected is %d%%", got)
	}
	if got := shorten("ünïcödé", 4); got != "ünï…" {
		t.Errorf("shortened to %s", got)
	}
}

func running(rows int64, seconds float64) runner.Event {
	streams := []sidecar.StreamReport{
		{Stream: "users", Status: sidecar.StatusRunning, Read: rows, Bytes: 100 * rows, EstimatedRows: 4000},
		{Stream: "orders", Status: sidecar.StatusPending},
	}
	report := sidecar.Report{Command: sidecar.CommandRead, Status: sidecar.StatusRunning, Seconds: seconds, Streams: streams}
	return runner.Event{Report: &report}
}

func logged(level, logger, message string) runner.Event {
	return runner.Event{Log: runner.Line{Time: time.Now(), Level: level, Logger: logger, Message: message}}
}

func TestPlainProgressIsALineNowAndThen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		view := NewView(&out, Options{})
		for second := range 25 {
			view.Event(running(int64(100*second), float64(second)))
			time.Sleep(time.Second)
		}
		view.End(time.Minute)
		view.Close(time.Minute)
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		if len(lines) != 2 || !strings.Contains(lines[0], "read 1,000 rows") || !strings.Contains(lines[1], "read 2,000 rows") {
			t.Errorf("printed %q", lines)
		}
		if strings.Contains(out.String(), "\x1b") {
			t.Errorf("moves the cursor where there is none: %q", out.String())
		}
	})
}

func TestProgressLineEstimatesOnlyWhatIsKnown(t *testing.T) {
	t.Parallel()
	event := running(1000, 10)
	if line := progressLine(*event.Report); strings.Contains(line, "left") {
		t.Errorf("one stream has no estimate: %s", line)
	}
	event.Report.Streams = event.Report.Streams[:1]
	if line := progressLine(*event.Report); !strings.Contains(line, "25%, about 30s left") {
		t.Errorf("got %s", line)
	}
}

func TestLiveBlockIsDrawnOver(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	view := NewView(&out, Options{})
	view.live, view.block.live = true, true
	view.Event(running(1000, 1))
	view.Event(running(2000, 2))
	view.Event(logged("WARN", "source", "careful"))
	view.End(time.Minute)
	view.Close(time.Minute)
	screen := render(t, out.String())
	if len(screen) != 1 || !strings.Contains(screen[0], "careful") {
		t.Errorf("the screen shows %q", screen)
	}
	if strings.Contains(out.String(), "orders") {
		t.Error("a stream that has not begun takes a line")
	}
}

// render is what a terminal shows after text with cursor movements: only those that the view uses (CPL, ED).
func render(t *testing.T, text string) []string {
	t.Helper()
	var screen []string
	for text != "" {
		if strings.HasPrefix(text, "\x1b[") {
			up := int(text[2] - '0')
			if !strings.HasPrefix(text[3:], "F\x1b[J") || up > len(screen) {
				t.Fatalf("not understood: %q", text)
			}
			screen, text = screen[:len(screen)-up], text[len("\x1b[1F\x1b[J"):]
			continue
		}
		line, rest, _ := strings.Cut(text, "\n")
		screen, text = append(screen, line), rest
	}
	return screen
}

func TestWhichLogLinesAreShown(t *testing.T) {
	t.Parallel()
	events := []runner.Event{
		logged("INFO", "source", "chatter"), logged("ERROR", "source", "trouble\nstack\nmore"), logged("INFO", "run", "pulling"),
		logged("WARN", "sidecar", "slow"),
	}
	for _, test := range []struct {
		quiet, verbose bool
		want           []string
		not            []string
	}{
		{false, false, []string{"trouble (and 2 more lines: --verbose)", "pulling", "slow"}, []string{"chatter", "stack"}},
		{false, true, []string{"chatter", "trouble\n    stack\n    more", "pulling"}, nil},
		{true, false, nil, []string{"chatter", "trouble", "pulling", "slow"}},
	} {
		var out bytes.Buffer
		view := NewView(&out, Options{Quiet: test.quiet, Verbose: test.verbose})
		for _, event := range events {
			view.Event(event)
		}
		view.Close(time.Minute)
		for _, want := range test.want {
			if !strings.Contains(out.String(), want) {
				t.Errorf("quiet %t, verbose %t: lacks %q: %s", test.quiet, test.verbose, want, &out)
			}
		}
		for _, not := range test.not {
			if strings.Contains(out.String(), not) {
				t.Errorf("quiet %t, verbose %t: has %q: %s", test.quiet, test.verbose, not, &out)
			}
		}
	}
}

func TestBlockFitsOnAScreen(t *testing.T) {
	t.Parallel()
	report := sidecar.Report{}
	for range 3 * maxLive {
		report.Streams = append(report.Streams, sidecar.StreamReport{Stream: "s", Read: 1, Status: sidecar.StatusRunning})
	}
	lines, foot := scene{report: &report}.block()
	if len(lines) != maxLive+1 || len(foot) != 1 || !strings.Contains(lines[maxLive], "24 more") {
		t.Errorf("%q, %q", lines, foot)
	}
	for rows, want := range map[int]int{1: 1, 2: 1, 3: 2, 10: 9, 15: maxLive + 2, 24: maxLive + 2} {
		var out bytes.Buffer
		view := NewView(&out, Options{})
		view.block.live, view.block.size = true, func() (int, int) { return 80, rows }
		view.Event(logged("WARN", "source", "careful"))
		view.mu.Lock()
		view.live, view.seen = true, scene{report: &report}
		view.redraw()
		drawn := view.block.drawn
		view.mu.Unlock()
		view.Close(time.Minute)
		if len(drawn) != want || !strings.HasPrefix(drawn[want-1], "0s read") {
			t.Errorf("of %d rows: %q", rows, drawn)
		}
	}
}

func TestBlockShowsWhatTheConnectorDoes(t *testing.T) {
	t.Parallel()
	until := time.Date(2026, 1, 2, 3, 4, 5, 0, time.Local)
	report := sidecar.Report{Seconds: 10, Streams: []sidecar.StreamReport{
		{Stream: "users", Status: sidecar.StatusRunning, Read: 1000, EstimatedRows: 4000},
		{Stream: "events", Status: sidecar.StatusRunning, Read: 5, RateLimited: true, RateLimitedUntil: &until},
		{Stream: "calls", Status: sidecar.StatusRunning, Read: 5, RateLimited: true},
		{Stream: "done", Status: sidecar.StatusSuccess, Read: 70, EstimatedRows: 100},
		{Stream: "注文", Status: sidecar.StatusFailed, Read: 7},
		{Stream: "later", Status: sidecar.StatusPending},
	}}
	seen := scene{report: &report, usage: &runner.Usage{Memory: 812e6, MemoryLimit: 2e9, CPUs: 1.25},
		last: runner.Line{Logger: "source", Message: "page \x1b[2J7\nmore"}}
	want := []string{
		"  users         1,000 rows  ███░░░░░░░░░  25%  running",
		"  events            5 rows                     rate-limited until 03:04:05",
		"  calls             5 rows                     rate-limited",
		"  done             70 rows  ████████████ 100%  success",
		"  注文              7 rows                     failed",
		"10s read 1,087 rows, delivered 0 B, 108 rows/s",
		"the connector uses 812 MB of 2.0 GB memory, 1.2 CPUs",
		`source: page \x1b[2J7`,
	}
	streams, foot := seen.block()
	got := append(streams, foot...)
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			t.Fatalf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	const plain = ": users 1,000 of about 4,000, events 5 (rate-limited until 03:04:05), calls 5 (rate-limited), done 70, 注文 7"
	if line := streamsLine(report); line != plain {
		t.Error(line)
	}
}

// A terminal that becomes narrower breaks lines that are on it, and gets no line that is too long.
func TestBlockFollowsTheWidth(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	view := NewView(&out, Options{})
	width := 80
	view.live, view.block.live, view.block.size = true, true, func() (int, int) { return width, 24 }
	view.Event(running(1000, 1)) // two lines, of more than 40 columns each
	width = 40
	view.Event(running(2000, 2))
	view.Close(time.Minute)
	text := out.String()
	if !strings.Contains(text, "\x1b[4F\x1b[J") {
		t.Errorf("does not go up four rows: %q", text)
	}
	for _, line := range strings.Split(text[strings.Index(text, "\x1b[4F\x1b[J")+len("\x1b[4F\x1b[J"):], "\n") {
		if columns(line) >= 40 {
			t.Errorf("too long: %q", line)
		}
	}
}

func TestColumns(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{"": 0, "abc": 3, "注文": 4, "é": 1, "e\u0301": 1, "🛒x": 3} {
		if got := columns(text); got != want {
			t.Errorf("%q takes %d, want %d", text, got, want)
		}
	}
	if got := cutColumns("注文注文", 5); got != "注文…" {
		t.Error(got)
	}
	for most, want := range map[int]string{40: "  users         1,000 rows  running", 34: "  users 1,000 rows running"} {
		if got := squeezed("  users         1,000 rows  running", most); got != want {
			t.Errorf("%d: %q", most, got)
		}
	}
}
