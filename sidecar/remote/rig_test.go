package remote

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/local"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// configFile is what the Hosts of tests keep a configuration in.
const configFile = "config.updated.json"

// rig is a folder on "another machine": a Host behind a Unix socket, to which somebody connects it again whenever the connection ends.
type rig struct {
	t      testing.TB
	folder *local.Folder
	host   *Host
	socket string
	// wrap is put around each connection, at the Host's side; nil for none.
	wrap func(net.Conn) net.Conn

	end   context.CancelFunc
	ended sync.WaitGroup
}

// newRig opens the folder of a sync below dir, and begins to connect.
func newRig(t testing.TB, dir string, identity sidecar.Identity, wrap func(net.Conn) net.Conn) *rig {
	t.Helper()
	folder, err := local.Open(t.Context(), local.Options{Dir: dir, Identity: identity})
	must(t, err)
	place, err := os.MkdirTemp("", "remote") //nolint:usetesting // names of sockets are short
	must(t, err)
	t.Cleanup(func() { must(t, os.RemoveAll(place)) })
	r := &rig{t: t, folder: folder, host: NewHost(folder, configFile), socket: filepath.Join(place, "s"), wrap: wrap}
	ctx, end := context.WithCancel(context.WithoutCancel(t.Context()))
	r.end = end
	r.ended.Go(func() { r.connect(ctx) })
	t.Cleanup(r.stop)
	return r
}

// connect connects the Host to whoever listens, until ctx ends.
func (r *rig) connect(ctx context.Context) {
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	for ctx.Err() == nil {
		conn, err := new(net.Dialer).DialContext(ctx, "unix", r.socket)
		if err != nil {
			select {
			case <-ticker.C: // nobody listens yet, or any more
			case <-ctx.Done():
			}
			continue
		}
		if r.wrap != nil {
			conn = r.wrap(conn)
		}
		r.host.Serve(ctx, conn)
	}
}

// stop is the end of the machine that has the folder.
func (r *rig) stop() {
	r.end()
	r.ended.Wait()
	r.host.Close()
	must(r.t, r.folder.Close(context.WithoutCancel(r.t.Context())))
}

// open opens the folder from afar. It is closed at the end of the test.
func (r *rig) open() *Folder {
	r.t.Helper()
	folder, err := open(r.t.Context(), r.socket, patience{first: time.Minute, again: time.Minute})
	must(r.t, err)
	r.t.Cleanup(func() { _ = folder.line.close() })
	return folder
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// budget is how many bytes may still be read and written before a connection is cut.
type budget struct {
	net.Conn
	mu   sync.Mutex
	left int
}

var errCut = errors.New("cut by the test")

func (b *budget) spend(n int) (allowed int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	allowed = min(n, b.left)
	b.left -= allowed
	return allowed
}

// Read reads what may be read.
func (b *budget) Read(into []byte) (int, error) {
	n, err := b.Conn.Read(into)
	if allowed := b.spend(n); allowed < n {
		return allowed, errors.Join(errCut, b.Close())
	}
	return n, err
}

// Write writes what may be written.
func (b *budget) Write(text []byte) (int, error) {
	allowed := b.spend(len(text))
	n, err := b.Conn.Write(text[:allowed])
	if err == nil && allowed < len(text) {
		err = errors.Join(errCut, b.Close())
	}
	return n, err
}
