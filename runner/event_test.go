package runner

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sync-sidecar/sidecar"
)

func TestParseLine(t *testing.T) {
	for _, test := range []struct {
		line   string
		report sidecar.Status
		log    Line
	}{
		{`{"event":"progress","report":{"status":"RUNNING"}}`, sidecar.StatusRunning, Line{}},
		{`{"event":"report","report":{"status":"SUCCESS"}}`, sidecar.StatusSuccess, Line{}},
		{`{"level":"warn","logger":"x","message":"m"}`, "", Line{Level: "WARN", Logger: "x", Message: "m"}},
		{`{"message":"m"}`, "", Line{Level: "INFO", Logger: "sidecar", Message: "m"}},
		{`{"event":"other","report":{"status":"SUCCESS"},"message":"m"}`, "", Line{Level: "INFO", Logger: "sidecar", Message: "m"}},
		{`panic: 50% of it`, "", Line{Level: "ERROR", Logger: "sidecar", Message: "panic: 50% of it"}},
	} {
		event, ok := ParseLine([]byte(test.line + "\r\n"))
		if !ok {
			t.Fatalf("%s was dropped", test.line)
		}
		if (event.Report != nil) != (test.report != "") || (event.Report != nil && event.Report.Status != test.report) {
			t.Errorf("%s: report %+v", test.line, event.Report)
		}
		event.Log.Time = test.log.Time
		if event.Report == nil && event.Log != test.log {
			t.Errorf("%s: %+v, want %+v", test.line, event.Log, test.log)
		}
	}
	if _, ok := ParseLine([]byte(" \n")); ok {
		t.Error("a blank line became an event")
	}
}

func TestCollectorKeepsTheVerdictAndTheLastLines(t *testing.T) {
	shown := 0
	collector := NewCollector(Plan{}, Watch{Event: func(Event) { shown++ }})
	for _, line := range []string{
		`{"event":"progress","report":{"status":"RUNNING"}}`, "1", "2", "3", "4", "5", "6", `{"event":"report","report":{"status":"FAILED","cause":"c"}}`,
	} {
		collector.Line([]byte(line))
	}
	var outcome Outcome
	collector.Tell(&outcome)
	if outcome.Report.Status != sidecar.StatusFailed || outcome.Report.Cause != "c" {
		t.Errorf("report %+v", outcome.Report)
	}
	if len(outcome.LastLines) != lastLines || outcome.LastLines[lastLines-1] != "6" {
		t.Errorf("last lines %q", outcome.LastLines)
	}
	if shown != 8 {
		t.Errorf("%d of 8 events were shown", shown)
	}
}

// In place of files that are gone when the run is over, messages name what the caller gave.
func TestCollectorNamesTheCallersFiles(t *testing.T) {
	task := readTask()
	task.Names = map[string]string{ConfigFile: "mine.json"}
	var shown []string
	collector := NewCollector(NewPlan(task, planLayout()), Watch{Event: func(e Event) { shown = append(shown, e.Log.Message) }})
	for _, line := range []string{
		`{"logger":"source-faker","message":"cannot read /shared/config/config.json"}`,
		`{"event":"report","report":{"status":"FAILED","cause":"CATALOG_FILE /shared/config/catalog.json: x","warnings":["/shared/config/state.json"],` +
			`"streams":[{"error":"STATE_FILE /shared/config/state.json: y"}]}}`,
		"sync-sidecar: CONFIG_FILE /shared/config/config.json: z", " STATE_FILE: read /shared/config/state.json: it is a pipe",
	} {
		collector.Line([]byte(line))
	}
	var got Outcome
	collector.Tell(&got)
	for text, want := range map[string]string{
		shown[0]: "cannot read mine.json", got.LastWords[0]: "cannot read mine.json", got.Report.Cause: "the discovered catalog: x",
		got.Report.Warnings[0]: "the saved state", got.Report.Streams[0].Error: "the saved state: y",
		got.Refusal: "mine.json: z; STATE_FILE: read the saved state: it is a pipe",
	} {
		if text != want {
			t.Errorf("%q, want %q", text, want)
		}
	}
	if len(shown) != 2 {
		t.Errorf("the error that becomes the cause is shown as a line, too: %q", shown)
	}
}

func TestCollectorKeepsTheLastWords(t *testing.T) {
	trace := "java.lang.Error: top\n" + strings.Repeat("\tat a.b(C.java:1)\n", 3*lastWords) + "Caused by: bottom\n"
	for _, test := range []struct {
		name  string
		lines []string // of the connector
		want  string   // joined
		count int
	}{
		{"few", []string{"a", "b\nc"}, "a|b|c", 3},
		{"many", strings.Split(strings.Repeat("x\n", 100)+"last", "\n"), "|x|last", lastWords},
		{"a long trace keeps its head and its end", []string{"before", trace}, "java.lang.Error: top|…|\tat", lastWords},
		{"a long line", []string{strings.Repeat("é", longestWord)}, strings.Repeat("é", longestWord/2) + "…", 1},
	} {
		collector := NewCollector(Plan{}, Watch{}.Serial())
		for _, line := range test.lines {
			encoded, err := json.Marshal(map[string]string{"logger": "source-faker", "message": line})
			if err != nil {
				t.Fatal(err)
			}
			collector.Line(encoded)
		}
		collector.Line([]byte(`{"logger":"sidecar","message":"not the connector's"}`))
		var got Outcome
		collector.Tell(&got)
		if joined := strings.Join(got.LastWords, "|"); len(got.LastWords) != test.count || !strings.Contains(joined, test.want) {
			t.Errorf("%s: %d lines: %s", test.name, len(got.LastWords), joined)
		}
	}
}

func TestCollectorHearsTheAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		collector := NewCollector(Plan{}, Watch{}.Serial())
		answer := func(ended <-chan struct{}) time.Duration {
			began := time.Now()
			collector.Answer(ended)
			return time.Since(began)
		}
		collector.Line([]byte(`{"logger":"sidecar","message":"before the signal"}`))
		collector.Forget()
		go func() {
			time.Sleep(time.Second / 2)
			collector.Line([]byte(`{"logger":"source","message":"not the sidecar's"}`))
			collector.Line([]byte(`{"event":"progress","report":{"status":"RUNNING"}}`))
			time.Sleep(time.Second / 2)
			collector.Line([]byte(`{"logger":"sidecar","message":"stopping"}`))
		}()
		if took := answer(nil); took != time.Second {
			t.Errorf("heard after %s", took)
		}
		if took := answer(nil); took != answerTime {
			t.Errorf("a silent sidecar was waited for %s", took)
		}
		ended := make(chan struct{})
		close(ended)
		if took := answer(ended); took != 0 {
			t.Errorf("a sidecar that is gone was waited for %s", took)
		}
	})
}

func TestUntilStop(t *testing.T) {
	stop := make(chan struct{})
	ctx, release := Watch{Stop: stop}.UntilStop(t.Context())
	defer release()
	if ctx.Err() != nil {
		t.Fatal("stopped before Stop")
	}
	close(stop)
	<-ctx.Done()
	if cause := context.Cause(ctx); !errors.Is(cause, ErrStopped) {
		t.Errorf("the cause is %v", cause)
	}
}

func TestUntilStopIsReleased(t *testing.T) {
	ctx, release := Watch{}.UntilStop(t.Context()) // goleak proves that nothing stays
	release()
	if ctx.Err() == nil {
		t.Error("still running")
	}
}
