package bulker_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/bulker"
	"sync-sidecar/sidecar/bulker/bulkertest"
)

func logSink(t *testing.T, url string) *bulker.LogSink {
	t.Helper()
	sink, err := bulker.NewLogSink(bulker.Options{URL: url, DestinationID: "logs-1", SyncID: "sync-1", TaskID: "task-1", Token: "secret"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sink.Close)
	return sink
}

func logLines(n int) []sidecar.LogRecord {
	lines := make([]sidecar.LogRecord, n)
	for i := range lines {
		lines[i] = sidecar.LogRecord{
			Time: time.Date(2024, 5, 6, 7, 8, 9, i*int(time.Millisecond), time.FixedZone("", 3600)), Level: "INFO", Logger: "sidecar",
			Message: fmt.Sprintf("line %d\nof \"two\"", i),
		}
	}
	return lines
}

func TestLogSink(t *testing.T) {
	t.Parallel()
	server := start(t, bulkertest.Options{Token: "secret", Destinations: []string{"logs-1"}})
	if err := logSink(t, server.URL).AppendLogs(t.Context(), logLines(50)); err != nil {
		t.Fatal(err)
	}
	posts, err := server.Posts()
	if err != nil {
		t.Fatal(err)
	}
	ids, messages := map[string]bool{}, map[string]bool{}
	for _, post := range posts {
		if post.Destination != "logs-1" || post.Table != "task_log" {
			t.Fatalf("posted to %s, table %s", post.Destination, post.Table)
		}
		var row map[string]string
		if err := json.Unmarshal(post.Body, &row); err != nil {
			t.Fatal(err)
		}
		ids[row["id"]], messages[row["message"]] = true, true
		if row["sync_id"] != "sync-1" || row["task_id"] != "task-1" || row["level"] != "INFO" || row["logger"] != "sidecar" || len(row) != 7 {
			t.Fatalf("row %s", post.Body)
		}
		if !strings.HasPrefix(row["timestamp"], "2024-05-06T06:08:09") || !strings.HasSuffix(row["timestamp"], "Z") {
			t.Fatalf("timestamp %s", row["timestamp"])
		}
	}
	if len(ids) != 50 || len(messages) != 50 || !messages["line 7\nof \"two\""] {
		t.Errorf("%d ids, %d messages", len(ids), len(messages))
	}
}

// TestLogSinkConnections wants few connections, and used again.
func TestLogSinkConnections(t *testing.T) {
	t.Parallel()
	var opened, now, most atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		most.Store(max(most.Load(), now.Add(1)))
		defer now.Add(-1)
		_, _ = w.Write([]byte(`{"message":"ok"}`))
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	sink := logSink(t, server.URL)
	for range 5 {
		if err := sink.AppendLogs(t.Context(), logLines(40)); err != nil {
			t.Fatal(err)
		}
	}
	if opened.Load() > 8 || most.Load() > 4 {
		t.Errorf("200 lines took %d connections, %d at once", opened.Load(), most.Load())
	}
}

func TestLogSinkCountsLosses(t *testing.T) {
	t.Parallel()
	var seen atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if seen.Add(1)%3 == 0 {
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = w.Write([]byte(`{"error":"error# 1: producer error"}`))
			return
		}
		_, _ = w.Write([]byte(`{"message":"ok"}`))
	}))
	defer server.Close()
	var e *bulker.LogError
	err := logSink(t, server.URL).AppendLogs(t.Context(), logLines(30))
	if !errors.As(err, &e) || e.Lost != 10 || e.Of != 30 || !strings.Contains(err.Error(), "producer error") {
		t.Errorf("got %v", err)
	}
	if seen.Load() != 30 {
		t.Errorf("%d lines were posted", seen.Load())
	}
}

func TestLogSinkErrors(t *testing.T) {
	t.Parallel()
	other := start(t, bulkertest.Options{Destinations: []string{"other"}})
	if err := logSink(t, other.URL).AppendLogs(t.Context(), logLines(1)); err == nil || !strings.Contains(err.Error(), "LOGS_CONNECTION_ID") {
		t.Errorf("unknown destination: %v", err)
	}
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	if err := logSink(t, gone.URL).AppendLogs(t.Context(), logLines(1)); err == nil || !strings.Contains(err.Error(), "cannot reach") {
		t.Errorf("unreachable: %v", err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	errStop := errors.New("stop")
	cancel(errStop)
	var e *bulker.LogError
	err := logSink(t, gone.URL).AppendLogs(ctx, logLines(5))
	if !errors.As(err, &e) || e.Lost != 5 || !errors.Is(err, errStop) {
		t.Errorf("cancelled: %v", err)
	}
}

// TestLogSinkStops wants a server that never answers to hold nothing up once the context ends.
func TestLogSinkStops(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	var waiting sync.WaitGroup
	waiting.Add(4)
	var seen atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		if seen.Add(1) <= 4 {
			waiting.Done()
		}
		<-release
	}))
	defer server.Close()
	defer close(release)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	sink := logSink(t, server.URL)
	go func() { done <- sink.AppendLogs(ctx, logLines(1000)) }()
	waiting.Wait()
	cancel()
	var e *bulker.LogError
	if err := <-done; !errors.As(err, &e) || e.Lost != 1000 || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
