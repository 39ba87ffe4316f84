package bulkertest_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"sync-sidecar/sidecar/bulker/bulkertest"
)

// lockedBuffer can be read while it is written.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func TestMainFunction(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out, done := new(lockedBuffer), make(chan error, 1)
	go func() {
		args := []string{"-token", "T", "-destination", "d", "-fault", `{"table":"x","status":500}`, "-read-timeout", "1m", "-not-ready"}
		done <- bulkertest.Main(ctx, args, out, io.Discard)
	}()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(10 * time.Second); !strings.HasSuffix(out.String(), "\n"); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatal("it does not start")
		}
	}
	url := strings.TrimPrefix(strings.TrimSpace(out.String()), "listening on ")
	for table, want := range map[string]int{"x": 500, "y": 200} {
		if got, _ := call(t, http.MethodPost, url+"/bulk/d?tableName="+table, "Bearer T", strings.NewReader(`{"a":1}`)); got != want {
			t.Errorf("table %s: %d", table, got)
		}
	}
	if got, _ := call(t, http.MethodGet, url+"/ready", "", nil); got != 503 {
		t.Errorf("ready: %d", got)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	for _, args := range [][]string{{"-nonsense"}, {"-fault", "{"}, {"extra"}, {"-addr", "nowhere:x"}, {"-dir", "/dev/null/x"}} {
		if err := bulkertest.Main(t.Context(), args, io.Discard, io.Discard); err == nil {
			t.Errorf("%q: no error", args)
		}
	}
}
