package docker

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"github.com/docker/docker/pkg/stdcopy"

	"sync-sidecar/sidecar"
)

// The verdict is in the container's log, whatever became of the stream that follows it: an Engine may end it before the last lines (each is a frame
// of it), and a proxy may cut it.
func TestVerdictIsFoundInTheLog(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]error{"the last lines are missing": io.EOF, "the stream is cut": io.ErrUnexpectedEOF} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.options.Daemon = Daemon{Host: cutLogs(t, b, fault)}
			outcome := b.run(b.task(sidecar.CommandCheck, `{}`))
			if outcome.ExitCode() != 0 || outcome.Report.Status != sidecar.StatusSuccess || len(outcome.LastLines) == 0 {
				t.Errorf("code %d, cause %q, %+v", outcome.ExitCode(), outcome.Cause(), outcome.Report)
			}
			if said := b.said(); strings.Contains(said, "SUCCESS") {
				t.Errorf("followed in spite of the fault: %s", said)
			}
		})
	}
}

// cutLogs is the address of a proxy before the Engine that lets no line of a followed log through, and ends it by fault.
func cutLogs(t *testing.T, b *bench, fault error) string {
	t.Helper()
	engine, err := url.Parse(b.engine.DaemonHost())
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{FlushInterval: -1, Rewrite: func(r *httputil.ProxyRequest) { r.Out.URL.Scheme, r.Out.URL.Host = "http", "engine" }}
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, engine.Scheme, engine.Host+engine.Path)
	}}
	proxy.Transport, proxy.ErrorLog = transport, log.New(io.Discard, "", 0) // the cut is meant
	proxy.ModifyResponse = func(response *http.Response) error {
		if strings.HasSuffix(response.Request.URL.Path, "/logs") && response.Request.URL.Query().Get("follow") == "1" {
			response.Body = &cutLog{frames: bufio.NewReader(response.Body), closer: response.Body, fault: fault}
		}
		return nil
	}
	server := httptest.NewServer(proxy)
	t.Cleanup(func() {
		server.Close()
		transport.CloseIdleConnections()
	})
	return "tcp://" + server.Listener.Addr().String()
}

// cutLog swallows the frames of a log.
type cutLog struct {
	frames *bufio.Reader
	closer io.Closer
	fault  error
}

func (c *cutLog) Read([]byte) (int, error) {
	for {
		header := make([]byte, 8) // the stream, three zeros, and the length of the frame
		_, err := io.ReadFull(c.frames, header)
		if err == nil && stdcopy.StdType(header[0]) != stdcopy.Stderr {
			return 0, errors.New("not a frame of stderr")
		}
		if err == nil {
			_, err = io.CopyN(io.Discard, c.frames, int64(binary.BigEndian.Uint32(header[4:])))
		}
		if errors.Is(err, io.EOF) {
			return 0, c.fault
		}
		if err != nil {
			return 0, err
		}
	}
}

func (c *cutLog) Close() error { return c.closer.Close() }
