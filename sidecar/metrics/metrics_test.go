package metrics

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"
	"go.uber.org/goleak"

	"sync-sidecar/sidecar"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var info = Info{Version: "v1", Command: sidecar.CommandRead,
	Identity: sidecar.Identity{SyncID: "shop", TaskID: "task-1", Package: "airbyte/source-x", PackageVersion: "2"}}

func newMetrics(t *testing.T) *Metrics {
	t.Helper()
	m, err := New(info)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// running is a read on its way.
func running() sidecar.Live {
	return sidecar.Live{
		Report: sidecar.Report{Status: sidecar.StatusRunning, StatesSaved: 7, StatesUnsaved: 1, Defects: map[string]int64{"broken_json": 2},
			LogLinesNotStored: 3, LogLinesNotShown: 4, Warnings: []string{"x"},
			Streams: []sidecar.StreamReport{
				{Stream: "orders", Status: sidecar.StatusRunning, Read: 120, Rows: 100, Bytes: 5000, EstimatedRows: 1000},
				{Stream: "users", Status: sidecar.StatusFailed, Read: 9},
			}},
		Loads:      []sidecar.StreamLoads{{Batches: 2, Attempts: 5, Failures: 3, Time: 1500 * time.Millisecond, Waiting: 1}, {}},
		LastOutput: time.Now().Add(-time.Minute), LastState: time.Now().Add(-time.Hour),
	}
}

// values are all series, by name and labels.
func values(t *testing.T, m *Metrics) map[string]float64 {
	t.Helper()
	families, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]float64{}
	for _, family := range families {
		for _, metric := range family.Metric {
			var labels []string
			for _, label := range metric.Label {
				labels = append(labels, fmt.Sprintf("%s=%q", label.GetName(), label.GetValue()))
			}
			name := family.GetName() + "{" + strings.Join(labels, ",") + "}"
			switch family.GetType() {
			case dto.MetricType_SUMMARY:
				found[name] = metric.Summary.GetSampleSum()
			case dto.MetricType_COUNTER:
				found[name] = metric.Counter.GetValue()
			case dto.MetricType_GAUGE:
				found[name] = metric.Gauge.GetValue()
			}
		}
	}
	return found
}

func TestMetricsOfARead(t *testing.T) {
	t.Parallel()
	m := newMetrics(t)
	m.Watch(running)
	got := values(t, m)
	for name, want := range map[string]float64{
		`sync_sidecar_info{command="read",connector="airbyte/source-x",connector_version="2",sync="shop",version="v1"}`: 1,
		`sync_sidecar_status{status="RUNNING",sync="shop"}`:                                                             1,
		`sync_sidecar_status{status="SUCCESS",sync="shop"}`:                                                             0,
		`sync_sidecar_rows_read_total{stream="orders",sync="shop"}`:                                                     120,
		`sync_sidecar_rows_total{stream="orders",sync="shop"}`:                                                          100,
		`sync_sidecar_bytes_total{stream="orders",sync="shop"}`:                                                         5000,
		`sync_sidecar_estimated_rows{stream="orders",sync="shop"}`:                                                      1000,
		`sync_sidecar_stream_failed{stream="users",sync="shop"}`:                                                        1,
		`sync_sidecar_batches_total{stream="orders",sync="shop"}`:                                                       2,
		`sync_sidecar_batches_waiting{stream="orders",sync="shop"}`:                                                     1,
		`sync_sidecar_load_failures_total{stream="orders",sync="shop"}`:                                                 3,
		`sync_sidecar_load_seconds{stream="orders",sync="shop"}`:                                                        1.5,
		`sync_sidecar_states_saved_total{sync="shop"}`:                                                                  7,
		`sync_sidecar_states_unsaved{sync="shop"}`:                                                                      1,
		`sync_sidecar_defects_total{kind="broken_json",sync="shop"}`:                                                    2,
		`sync_sidecar_log_lines_dropped_total{by="stderr",sync="shop"}`:                                                 4,
		`sync_sidecar_log_lines_dropped_total{by="sinks",sync="shop"}`:                                                  3,
		`sync_sidecar_streams{sync="shop"}`:                                                                             2,
		`sync_sidecar_warnings{sync="shop"}`:                                                                            1,
	} {
		if value, is := got[name]; !is || value != want {
			t.Errorf("%s is %v (%v), want %v", name, value, is, want)
		}
	}
	for name, least := range map[string]float64{`sync_sidecar_state_age_seconds{sync="shop"}`: 3600,
		`sync_sidecar_last_message_age_seconds{sync="shop"}`: 60} {
		if got[name] < least || got[name] > least+30 {
			t.Errorf("%s is %v, want %v", name, got[name], least)
		}
	}
	if _, is := got[`sync_sidecar_exit_code{sync="shop"}`]; is {
		t.Error("an exit code before the end")
	}
	m.Ended(sidecar.Report{Status: sidecar.StatusPartial, ExitCode: sidecar.ExitPartial})
	got = values(t, m)
	if got[`sync_sidecar_status{status="PARTIAL",sync="shop"}`] != 1 || got[`sync_sidecar_exit_code{sync="shop"}`] != sidecar.ExitPartial {
		t.Errorf("after the end: %v", got)
	}
}

// Two shards of a read have no series in common, also where nobody adds the name of the Pod.
func TestShardsHaveSeriesOfTheirOwn(t *testing.T) {
	t.Parallel()
	seen := map[string]int{}
	for index := range 2 {
		of := info
		of.Identity.Shard = sidecar.Shard{Task: "task-1", Index: index, Count: 2}
		m, err := New(of)
		if err != nil {
			t.Fatal(err)
		}
		m.Watch(running)
		got := values(t, m)
		if name := fmt.Sprintf(`sync_sidecar_rows_total{shard="%d",stream="orders",sync="shop"}`, index); got[name] != 100 {
			t.Errorf("%s is %v", name, got[name])
		}
		for name := range got {
			if seen[name]++; seen[name] > 1 {
				t.Errorf("%s is of both", name)
			}
		}
	}
}

// Prometheus' own linter knows how metrics are named and described.
func TestMetricsAreAsPrometheusWantsThem(t *testing.T) {
	t.Parallel()
	m := newMetrics(t)
	m.Watch(running)
	problems, err := testutil.GatherAndLint(m.registry)
	for _, problem := range problems {
		if strings.HasPrefix(problem.Metric, "sync_sidecar_") {
			t.Errorf("%s: %s", problem.Metric, problem.Text)
		}
	}
	if err != nil {
		t.Error(err)
	}
}

// However many streams there are, whatever they are called: the number of series has a bound, and nothing is left out of the sums.
func TestSeriesAreBounded(t *testing.T) {
	t.Parallel()
	m := newMetrics(t)
	var live sidecar.Live
	const streams = 5000
	for i := range streams {
		live.Report.Streams = append(live.Report.Streams, sidecar.StreamReport{Stream: fmt.Sprintf("s%d", i), Rows: 1, Status: sidecar.StatusRunning})
		live.Loads = append(live.Loads, sidecar.StreamLoads{Attempts: 1})
	}
	live.Report.Streams[1].Stream = "s0" // of another namespace, with a text like this one's
	live.Report.Streams[streams-1].Status = sidecar.StatusFailed
	live.Report.Streams[2].Stream = "not \xff UTF-8"
	m.Watch(func() sidecar.Live { return live })
	families, err := m.registry.Gather()
	if err == nil || !strings.Contains(err.Error(), "UTF-8") {
		t.Errorf("got %v", err)
	}
	series, rows := 0, 0.0
	for _, family := range families {
		series += len(family.Metric)
		for _, metric := range family.Metric {
			if family.GetName() == "sync_sidecar_rows_total" {
				rows += metric.Counter.GetValue()
			}
		}
	}
	if series > 10*mostStreams || rows != streams-1 {
		t.Errorf("%d series, %v rows", series, rows)
	}
	for _, family := range families {
		for _, metric := range family.Metric {
			if family.GetName() == "sync_sidecar_stream_failed" && metric.Label[0].GetValue() == otherStreams && metric.Gauge.GetValue() != 1 {
				t.Error("a failed stream among the others is not told")
			}
		}
	}
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

func TestServer(t *testing.T) {
	t.Parallel()
	m := newMetrics(t)
	server, err := Serve(t.Context(), "127.0.0.1:0", m)
	if err != nil {
		t.Fatal(err)
	}
	base := "http://" + server.Address()
	for _, round := range []struct {
		path string
		code int
		says string
	}{
		{"/healthz", 200, "ok"}, {"/readyz", 503, "waited for"}, {"/metrics", 200, `sync_sidecar_status{status="PENDING",sync="shop"} 1`},
		{"/other", 404, ""},
	} {
		if code, body := get(t, base+round.path); code != round.code || !strings.Contains(body, round.says) {
			t.Errorf("%s: %d %s", round.path, code, body)
		}
	}
	m.Watch(running)
	if code, _ := get(t, base+"/readyz"); code != 200 {
		t.Errorf("/readyz: %d once the session has begun", code)
	}
	if _, err := Serve(t.Context(), server.Address(), m); err == nil || !strings.Contains(err.Error(), "METRICS_ADDRESS") {
		t.Errorf("the same address twice: %v", err)
	}
	if err := server.Close(context.Background()); err != nil {
		t.Error(err)
	}
}

func TestASessionThatHangsIsNotHealthy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMetrics(t)
		hanging := make(chan struct{})
		m.Watch(func() sidecar.Live {
			<-hanging
			return sidecar.Live{}
		})
		if m.healthy() {
			t.Error("it does not answer")
		}
		close(hanging)
		if !m.healthy() {
			t.Error("it answers")
		}
	})
}

func TestNewTakesAnySyncID(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"", "a b/c", "ünïcode"} {
		m, err := New(Info{Identity: sidecar.Identity{SyncID: id}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.registry.Gather(); err != nil {
			t.Error(err)
		}
	}
}
