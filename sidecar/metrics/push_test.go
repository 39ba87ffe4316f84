package metrics

import (
	"compress/gzip"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	service "go.opentelemetry.io/proto/slim/otlp/collector/metrics/v1"
	otlp "go.opentelemetry.io/proto/slim/otlp/metrics/v1"
	"google.golang.org/protobuf/proto"

	"sync-sidecar/sidecar"
)

// collectorServer takes pushes as the OTLP specification says that a collector does: POST /v1/metrics, protobuf, maybe gzip.
type collectorServer struct {
	*httptest.Server
	mu       sync.Mutex
	answers  []int // of the next requests; 200 when there are none left
	requests []*service.ExportMetricsServiceRequest
	header   http.Header
}

func newCollectorServer(t *testing.T, answers ...int) *collectorServer {
	t.Helper()
	c := &collectorServer{answers: answers}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.header = r.Header
		unpacked, err := gzip.NewReader(r.Body)
		if err != nil {
			t.Error(err)
			return
		}
		body, err := io.ReadAll(unpacked)
		if err != nil {
			t.Error(err)
		}
		request := &service.ExportMetricsServiceRequest{}
		if err := proto.Unmarshal(body, request); err != nil || r.URL.Path != "/base/v1/metrics" || r.Method != http.MethodPost {
			t.Errorf("%s %s: %v", r.Method, r.URL.Path, err)
		}
		if len(c.answers) > 0 {
			answer := c.answers[0]
			c.answers = c.answers[1:]
			w.WriteHeader(answer)
			return
		}
		c.requests = append(c.requests, request)
	}))
	t.Cleanup(c.Close)
	return c
}

// status is the status that was pushed last.
func (c *collectorServer) status() (status string, resource map[string]string, metrics map[string]*otlp.Metric) {
	c.mu.Lock()
	defer c.mu.Unlock()
	resource, metrics = map[string]string{}, map[string]*otlp.Metric{}
	if len(c.requests) == 0 {
		return "", resource, metrics
	}
	pushed := c.requests[len(c.requests)-1].ResourceMetrics[0]
	for _, attribute := range pushed.Resource.Attributes {
		resource[attribute.Key] = attribute.Value.GetStringValue()
	}
	for _, scope := range pushed.ScopeMetrics {
		for _, metric := range scope.Metrics {
			metrics[metric.Name] = metric
		}
	}
	for _, point := range metrics["sync_sidecar_status"].GetGauge().GetDataPoints() {
		for _, attribute := range point.Attributes {
			if attribute.Key == "status" && point.GetAsDouble() == 1 {
				status = attribute.Value.GetStringValue()
			}
		}
	}
	return status, resource, metrics
}

// What a Job ended as is pushed before it ends, again when the collector is busy.
func TestPushAtTheEnd(t *testing.T) {
	t.Parallel()
	for name, answers := range map[string][]int{"at once": nil, "busy": {503, 429}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, m := newCollectorServer(t, answers...), newMetrics(t)
			push, err := StartPush(t.Context(), m, info, PushOptions{Endpoint: server.URL + "/base/", Headers: "Authorization=Bearer%20token,x-team = data",
				Timeout: 20 * time.Second, Failed: func(err error) { t.Error(err) }})
			if err != nil {
				t.Fatal(err)
			}
			m.Watch(running)
			report := running().Report
			report.Status = sidecar.StatusSuccess
			m.Ended(report)
			if err := push.Close(context.Background()); err != nil {
				t.Fatal(err)
			}
			status, resource, metrics := server.status()
			if status != "SUCCESS" || resource["service.name"] != "sync-sidecar" || resource["sync_sidecar.task"] != "task-1" {
				t.Errorf("%s %v", status, resource)
			}
			if server.header.Get("Authorization") != "Bearer token" || server.header.Get("X-Team") != "data" {
				t.Errorf("%v", server.header)
			}
			rows := metrics["sync_sidecar_rows_total"].GetSum()
			if rows == nil || !rows.IsMonotonic || rows.AggregationTemporality != cumulative || len(rows.DataPoints) != 2 {
				t.Errorf("rows: %v", rows)
			}
			loads := metrics["sync_sidecar_load_seconds"].GetSummary().GetDataPoints()
			if len(loads) != 2 || loads[0].Count+loads[1].Count != 5 {
				t.Errorf("loads: %v", loads)
			}
		})
	}
}

// A collector that refuses, or is away, is told of within the time that a push may take, and nothing else happens.
func TestPushThatFails(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		answers []int
		away    bool
		says    string
	}{
		"refused": {answers: []int{400, 400, 400}, says: "400 Bad Request"},
		"away":    {away: true, says: "connect"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, m := newCollectorServer(t, test.answers...), newMetrics(t)
			if test.away {
				server.Close()
			}
			push, err := StartPush(t.Context(), m, info, PushOptions{Endpoint: server.URL + "/base", Timeout: time.Second, Failed: func(error) {}})
			if err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			err = push.Close(context.Background())
			if err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v, want %q", err, test.says)
			}
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}

func TestPushOptions(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ endpoint, headers, want string }{
		{"collector:4317", "", "http://host:4318"},
		{"grpc://collector:4317", "", "http://host:4318"},
		{"http://collector:4318", "no value", "NAME=VALUE"},
		{"http://collector:4318", "name=%zz,a=", "NAME=VALUE"},
	} {
		options := PushOptions{Endpoint: test.endpoint, Headers: test.headers}
		if push, err := StartPush(t.Context(), newMetrics(t), info, options); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: %v %v", test, push, err)
		}
	}
}
