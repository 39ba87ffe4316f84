package bulker_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/bulker"
	"sync-sidecar/sidecar/bulker/bulkertest"
	"sync-sidecar/sidecar/proctest"
)

// process is a server that can be killed.
type process struct {
	cmd  *exec.Cmd
	url  string
	args []string
}

// build makes the server's program once.
func build(t testing.TB) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "bulker-test-server")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "sync-sidecar/cmd/bulker-test-server").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return program
}

// run starts a server as a process; it is killed when the test ends.
func run(t testing.TB, program string, args ...string) *process {
	t.Helper()
	cmd := exec.Command(program, args...) // killed below, and waited for: what it used is read then
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &process{cmd: cmd, args: args}
	t.Cleanup(p.kill)
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	p.url = strings.TrimPrefix(strings.TrimSpace(line), "listening on ")
	return p
}

// kill ends the process as the kernel would.
func (p *process) kill() {
	if p.cmd.ProcessState == nil {
		_ = p.cmd.Process.Kill() // it may be gone
		_ = p.cmd.Wait()         // "signal: killed" is what is wanted
	}
}

// cpu is what this process has used, in seconds.
func cpu(t testing.TB) float64 {
	t.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		t.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano()).Seconds()
}

// TestMillionRows loads a million rows of 330 bytes, live and repeated, into a server with a folder: the memory of neither side grows with them.
func TestMillionRows(t *testing.T) {
	const million, limit = 1_000_000, 32 << 20
	dir := t.TempDir()
	server := run(t, build(t), "-dir", dir)
	c := client(t, server.url, nil)
	heap := watchHeap(t)
	for _, live := range []bool{true, false} {
		started := time.Now()
		rows := &madeRows{n: million, live: live}
		if err := c.Load(t.Context(), load(sidecar.ReplaceWhole, rows)); err != nil {
			t.Fatal(err)
		}
		t.Logf("live %v: %.1f MB in %s", live, float64(rows.Size())/1e6, time.Since(started).Round(time.Millisecond))
	}
	if got := heap(); got > limit {
		t.Errorf("the client's heap reached %d MiB", got>>20)
	}
	if got := proctest.HighWater(server.cmd.Process.Pid); got == 0 || got > 2*limit {
		t.Errorf("the server's memory reached %d MiB", got>>20)
	}
	server.kill()
	store, err := bulkertest.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	}()
	if commits := store.Commits(); len(commits) != 2 || commits[1].Rows != million {
		t.Errorf("commits %+v", commits)
	}
}

// watchHeap samples the heap until the function it returns is called, which returns the highest.
func watchHeap(t *testing.T) func() uint64 {
	t.Helper()
	runtime.GC() // what other tests left
	ctx, stop := context.WithCancel(t.Context())
	var most uint64
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for ctx.Err() == nil {
			var stats runtime.MemStats
			runtime.ReadMemStats(&stats)
			most = max(most, stats.HeapInuse)
			select {
			case <-tick.C:
			case <-ctx.Done():
			}
		}
	})
	return func() uint64 {
		stop()
		wg.Wait()
		return most
	}
}

// TestKilledServer kills a server before and after a commit, starts it again on the same address, and loads again.
func TestKilledServer(t *testing.T) {
	t.Parallel()
	program, dir := build(t), t.TempDir()
	for _, when := range []struct {
		fault     string
		committed bool
	}{
		{`{"moment":"end","delay":3600000000000,"status":200}`, false},
		{`{"moment":"end","commit":true,"delay":3600000000000,"status":200}`, true},
	} {
		server := run(t, program, "-dir", dir, "-fault", when.fault)
		c := client(t, server.url, func(o *bulker.Options) { o.Deduplicate = false })
		rows := &watchedRows{wholeRows: numbered(1000)}
		done := make(chan error, 1)
		before := len(commits(t, dir))
		go func() { done <- c.Load(t.Context(), load(sidecar.Append, rows)) }()
		eventually(t, "the rows are read", func() bool {
			if when.committed {
				return len(commits(t, dir)) > before
			}
			return rows.ended.Load() && spooled(t, dir)
		})
		server.kill()
		if e := refused(t, <-done); !e.Unknown || !e.Environment || e.Permanent {
			t.Errorf("%+v", e)
		}
		again := run(t, program, "-dir", dir, "-addr", strings.TrimPrefix(server.url, "http://"))
		if got := len(commits(t, dir)) - before; (got == 1) != when.committed {
			t.Errorf("%d commits, committed %v", got, when.committed)
		}
		if spooled(t, dir) {
			t.Error("the start left rows that nobody committed")
		}
		if err := c.Load(t.Context(), load(sidecar.ReplaceWhole, rows)); err != nil {
			t.Fatal(err)
		}
		again.kill()
	}
}

// commits reads the log of a server that may be running.
func commits(t *testing.T, dir string) []string {
	t.Helper()
	log, err := os.ReadFile(filepath.Join(dir, "commits.ndjson"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(string(log), "\n")[:strings.Count(string(log), "\n")]
}

// watchedRows know when their last row was sent: its Read comes after the write of the one before.
type watchedRows struct {
	*wholeRows
	ended atomic.Bool
}

// Open implements sidecar.Rows.
func (r *watchedRows) Open(ctx context.Context) (io.ReadCloser, error) {
	rows, err := r.wholeRows.Open(ctx)
	return &watchedReader{ReadCloser: rows, rows: r}, err
}

type watchedReader struct {
	io.ReadCloser
	rows *watchedRows
}

// Read implements io.Reader.
func (r *watchedReader) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	if errors.Is(err, io.EOF) {
		r.rows.ended.Store(true)
	}
	return n, err
}

// spooled says whether rows lie in the folder that are not committed.
func spooled(t *testing.T, dir string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "data", "spool-*"))
	if err != nil {
		t.Fatal(err)
	}
	return len(files) > 0
}
