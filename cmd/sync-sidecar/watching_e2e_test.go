package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// freeAddress is one that nobody listens on right now.
func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// page is what a server answers; empty while it does not.
func page(t *testing.T, url string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(request)
	if err != nil {
		return ""
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// A read that is scraped while it runs, and pushes its end.
func TestWatchedRead(t *testing.T) {
	t.Parallel()
	c, address := newCommandLine(t), freeAddress(t)
	var pushes atomic.Int64
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "Bearer hunter2" && r.URL.Path == "/v1/metrics" {
			pushes.Add(1)
		}
	}))
	defer collector.Close()
	c.env = append(c.env, "OTEL_EXPORTER_OTLP_HEADERS=Authorization=Bearer hunter2")
	command, stdout, stderr := c.command("run", "read", "--exec", c.programs.Demo, "--config", `{"count":1000000,"rate":500}`,
		"--metrics-address", address, "--otel-exporter-otlp-endpoint", collector.URL, "--verbose")
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	deadline, rows := time.Now().Add(30*time.Second), 0.0
	for rows == 0 && time.Now().Before(deadline) {
		time.Sleep(50 * time.Millisecond) // polling with a deadline
		found := regexp.MustCompile(`(?m)^sync_sidecar_rows_read_total\{stream="customers",sync="source-demo"\} (\S+)$`).
			FindStringSubmatch(page(t, "http://"+address+"/metrics"))
		if found != nil {
			rows, _ = strconv.ParseFloat(found[1], 64)
		}
	}
	if rows == 0 {
		t.Error("no rows are counted")
	}
	if ready, healthy := page(t, "http://"+address+"/readyz"), page(t, "http://"+address+"/healthz"); ready != "ok\n" || healthy != "ok\n" {
		t.Errorf("ready %q, healthy %q", ready, healthy)
	}
	if err := command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	if code := codeOf(t, command.Wait()); code != exitSignal+15 {
		t.Errorf("exit code %d: %s", code, stderr)
	}
	if pushes.Load() == 0 || strings.Contains(stdout.String()+stderr.String(), "hunter2") {
		t.Errorf("%d pushes; %s", pushes.Load(), stderr)
	}
}

// What is wrong with watching is said, and costs no sync.
func TestWatchingNeverFailsASync(t *testing.T) {
	t.Parallel()
	taken, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() })
	for name, test := range map[string]struct {
		args []string
		code int
		says string
	}{
		"the address is taken":  {[]string{"--metrics-address", taken.Addr().String()}, exitOK, "address already in use"},
		"no collector":          {[]string{"--otel-exporter-otlp-endpoint", "http://127.0.0.1:1", "--otel-exporter-otlp-timeout", "500"}, exitOK, "OTLP"},
		"gRPC":                  {[]string{"--otel-exporter-otlp-endpoint", "collector:4317"}, exitOK, "http://host:4318"},
		"no address":            {[]string{"--metrics-address", "9090"}, exitUsage, `METRICS_ADDRESS: "9090"`},
		"a time that is no one": {[]string{"--otel-exporter-otlp-timeout", "0"}, exitUsage, "OTEL_EXPORTER_OTLP_TIMEOUT"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCommandLine(t)
			got := c.demo("read", append([]string{"--config", `{"count":10}`}, test.args...)...)
			if got.code != test.code || !strings.Contains(got.stderr, test.says) {
				t.Errorf("exit code %d, want %d and %q: %s", got.code, test.code, test.says, got.stderr)
			}
		})
	}
}

// Where lines of many syncs are gathered, each says whose it is.
func TestJSONLinesSayWhoseTheyAre(t *testing.T) {
	t.Parallel()
	p := newPod(t, "read", `{"count":10,"faults":{"huge_row":{"bytes":5000}}}`)
	p.set("LOG_FORMAT", "json", "SYNC_ID", "shop", "TASK_ID", "task-7", "MAX_LINE_BYTES", "4096")
	got := p.run().stderr
	streams := 0
	for scanner := bufio.NewScanner(strings.NewReader(got)); scanner.Scan(); {
		var line struct{ Sync, Task, Stream, Message string }
		if err := json.Unmarshal(scanner.Bytes(), &line); err != nil {
			t.Fatalf("%s: %v", scanner.Text(), err)
		}
		if line.Sync != "shop" || line.Task != "task-7" {
			t.Errorf("whose is %s", scanner.Text())
		}
		if line.Stream != "" {
			streams++
			if !strings.Contains(line.Message, line.Stream) {
				t.Errorf("not about %s: %s", line.Stream, line.Message)
			}
		}
	}
	if streams == 0 {
		t.Errorf("no line names its stream: %s", got)
	}
}
