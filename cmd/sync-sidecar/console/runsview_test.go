package console

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sync-sidecar/runner"
	"sync-sidecar/sidecar"
)

// liveRuns is a view on a terminal of 110 columns and 24 rows.
func liveRuns(t *testing.T, out *bytes.Buffer, names ...string) *RunsView {
	t.Helper()
	view := NewRunsView(out, Options{}, names)
	view.mu.Lock()
	view.live, view.block.live, view.block.size = true, true, func() (int, int) { return 110, 24 }
	view.mu.Unlock()
	return view
}

// screenOf is what the terminal shows once it has taken all lines.
func screenOf(t *testing.T, view *RunsView, out *bytes.Buffer) []string {
	t.Helper()
	view.out.Flush(time.Minute)
	return render(t, out.String())
}

func TestRunsHaveALineEach(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		view := liveRuns(t, &out, "people", "shop", "later")
		view.Begin("people")
		view.Begin("shop")
		time.Sleep(3 * time.Second)
		event := running(1000, 10)
		event.Report.Streams = event.Report.Streams[:1]
		event.Report.Streams[0].RateLimited = true
		view.Event("people", event)
		view.Event("shop", logged("INFO", "run", "fetching \x1b[2Jimage\nmore"))
		view.Event("unknown", logged("INFO", "run", "not shown"))
		view.Line("shop", "12:00:00 WARN  source: careful")
		want := []string{
			"shop   | 12:00:00 WARN  source: careful",
			"  people         1,000 rows  ███░░░░░░░░░  25%  rate-limited, 10s, 100 KB, 100 rows/s, about 30s left",
			"  shop    under way for 3s",
			`          run: fetching \x1b[2Jimage`,
			"0 of 3 syncs ended, 1 not begun",
		}
		if got := screenOf(t, view, &out); strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		view.End("people", true)
		printed := errors.New("printed")
		err := view.Apart(time.Minute, func() error {
			view.Event("shop", logged("INFO", "run", "more")) // must not draw while somebody else prints
			if got := screenOf(t, view, &out); len(got) != 1 {
				t.Errorf("not apart: %q", got)
			}
			return printed
		})
		if !errors.Is(err, printed) {
			t.Error(err)
		}
		if got := screenOf(t, view, &out); len(got) != 4 || got[3] != "1 of 3 syncs ended (1 without success), 1 not begun" {
			t.Errorf("afterwards: %q", got)
		}
		view.End("shop", false)
		view.Close(time.Minute)
		if got := render(t, out.String()); len(got) != 1 {
			t.Errorf("the block is still there: %q", got)
		}
	})
}

func TestManyRunsFitOnAScreen(t *testing.T) {
	t.Parallel()
	var names []string
	for i := range 40 {
		names = append(names, fmt.Sprintf("sync-%d", i))
	}
	var out bytes.Buffer
	view := liveRuns(t, &out, names...)
	for _, name := range names {
		view.Begin(name)
		view.Event(name, logged("INFO", "source", "one more line"))
	}
	view.mu.Lock()
	drawn := view.block.drawn
	view.mu.Unlock()
	view.Close(time.Minute)
	if len(drawn) != maxLive+2 || !strings.Contains(drawn[maxLive], "28 more syncs") || drawn[maxLive+1] != "0 of 40 syncs ended" {
		t.Errorf("%d lines: %q", len(drawn), drawn)
	}
}

// The clock of a run that says nothing moves.
func TestRunsThatSayNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		view := liveRuns(t, &out, "a")
		view.ticking.Go(view.tick)
		view.Begin("a")
		time.Sleep(75*time.Second + time.Millisecond)
		if got := screenOf(t, view, &out); got[0] != "  a  under way for 1m15s" {
			t.Errorf("%q", got)
		}
		view.Close(time.Minute)
	})
}

func TestRunsWithoutATerminal(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	view := NewRunsView(&out, Options{}, []string{"a", "long"})
	view.Begin("a")
	view.Event("a", running(10, 1))
	view.Line("a", "a line")
	view.Say("all")
	view.End("a", false)
	view.Close(time.Minute)
	if out.String() != "a    | a line\nall\n" {
		t.Errorf("%q", out.String())
	}
}

// What Events writes, ReadEvents reads. Only the last line is the report, whatever the ones before say of the sync.
func TestReadEvents(t *testing.T) {
	t.Parallel()
	var text bytes.Buffer
	events := NewEvents(&text)
	sent := []runner.Event{running(5, 1), logged("INFO", "source", "two\nlines"), {Usage: &runner.Usage{Memory: 7}}}
	for _, event := range sent {
		events.Event(event)
	}
	text.WriteString("not one of ours\n")
	var got []runner.Event
	take := func(event runner.Event) { got = append(got, event) }
	if report := ReadEvents(bytes.NewReader(text.Bytes()), take); report != nil || len(got) != len(sent) {
		t.Errorf("cut off: %v, %d events", report, len(got))
	}
	if got[0].Report.Streams[0].Read != 5 || got[1].Log.Message != "two\nlines" || got[2].Usage.Memory != 7 {
		t.Errorf("%+v", got)
	}
	failed := Result{Command: sidecar.CommandCheck, Failure: &Failure{ExitCode: 3, Cause: "gone"}}
	if err := events.Report(failed); err != nil {
		t.Fatal(err)
	}
	if report := ReadEvents(&text, take); report == nil || report.Cause != "gone" || report.ExitCode != 3 {
		t.Errorf("%+v", report)
	}
}
