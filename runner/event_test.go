package runner

import (
	"context"
	"errors"
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
	collector := NewCollector(Watch{Event: func(Event) { shown++ }})
	for _, line := range []string{
		`{"event":"progress","report":{"status":"RUNNING"}}`, "1", "2", "3", "4", "5", "6", `{"event":"report","report":{"status":"FAILED","cause":"c"}}`,
	} {
		collector.Line([]byte(line))
	}
	if collector.Report.Status != sidecar.StatusFailed || collector.Report.Cause != "c" {
		t.Errorf("report %+v", collector.Report)
	}
	if len(collector.LastLines) != lastLines || collector.LastLines[lastLines-1] != "6" {
		t.Errorf("last lines %q", collector.LastLines)
	}
	if shown != 8 {
		t.Errorf("%d of 8 events were shown", shown)
	}
}

func TestCollectorHearsTheAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		collector := NewCollector(Watch{}.Serial())
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
