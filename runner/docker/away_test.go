package docker

import (
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"sync-sidecar/sidecar"
)

// road is a way to the Engine that can be cut.
type road struct {
	t       *testing.T
	engine  string // the path of its socket
	address string

	mu       sync.Mutex
	listener net.Listener
	open     map[net.Conn]bool
	passing  sync.WaitGroup
}

func newRoad(t *testing.T, engine string) *road {
	t.Helper()
	r := &road{t: t, engine: engine, address: "127.0.0.1:0", open: map[net.Conn]bool{}}
	r.mend()
	r.address = r.listener.Addr().String()
	t.Cleanup(r.cut)
	return r
}

// mend lets connections through.
func (r *road) mend() {
	r.t.Helper()
	listener, err := net.Listen("tcp", r.address)
	if err != nil {
		r.t.Fatal(err)
	}
	r.mu.Lock()
	r.listener = listener
	r.mu.Unlock()
	r.passing.Go(func() {
		for {
			from, err := listener.Accept()
			if err != nil {
				return
			}
			to, err := net.Dial("unix", r.engine)
			if err != nil {
				from.Close()
				continue
			}
			r.mu.Lock()
			r.open[from], r.open[to] = true, true
			r.mu.Unlock()
			r.passing.Go(func() { r.pass(from, to) })
			r.passing.Go(func() { r.pass(to, from) })
		}
	})
}

func (r *road) pass(from, to net.Conn) {
	_, _ = io.Copy(to, from) // until it is cut
	from.Close()
	to.Close()
}

// cut ends all connections, and refuses others.
func (r *road) cut() {
	r.mu.Lock()
	r.listener.Close()
	for conn := range r.open {
		conn.Close()
	}
	clear(r.open)
	r.mu.Unlock()
	r.passing.Wait()
}

// An Engine that is away for a while, or the network before it, ends no run: its containers go on.
func TestEngineIsAwayForAWhile(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	socket, local := strings.CutPrefix(b.engine.DaemonHost(), "unix://")
	if !local {
		t.Skip("the Engine has no socket here that a proxy could stand before")
	}
	road := newRoad(t, socket)
	task := b.read(`{"counts":{"customers":150,"products":1,"orders":1},"rate":50,"records_per_state":10}`)
	b.options.Daemon = Daemon{Host: "tcp://" + road.address}
	var away sync.WaitGroup
	away.Go(func() {
		b.whenRowsFlow(func() {
			road.cut()
			time.Sleep(1500 * time.Millisecond) // it is away
			road.mend()
		})
	})
	outcome := b.run(task)
	away.Wait()
	if outcome.ExitCode() != 0 || outcome.Report.Status != sidecar.StatusSuccess || b.rows("customers") != 150 {
		t.Errorf("code %d, %q, %d rows", outcome.ExitCode(), outcome.Cause(), b.rows("customers"))
	}
	if said := b.said(); strings.Count(said, "does not answer") != 1 {
		t.Errorf("not said once: %s", said)
	}
}
