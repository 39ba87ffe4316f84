package sidecar

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"

	"sync-sidecar/sidecar/airbyte"
)

// TestLedgerNeverRunsAhead plays random syncs against the plain meaning of I1: a state may be saved when, and as soon as, each row that the source
// had sent before it is acknowledged, for its stream or, GLOBAL, for all.
func TestLedgerNeverRunsAhead(t *testing.T) {
	for seed := range uint64(500) {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			t.Parallel()
			playLedger(t, rand.New(rand.NewPCG(seed, 1)))
		})
	}
}

// sentState is a state in the model: where each stream stood when it was sent.
type sentState struct {
	number int
	stream int // -1 is GLOBAL
	at     []int64
}

// game is one random sync and its model.
type game struct {
	t       *testing.T
	ledger  *ledger
	open    []int64   // rows in the open batch, by stream
	closed  [][]int64 // rows of closed batches that are not acknowledged
	handed  []int64
	acked   []int64
	sent    []sentState
	newest  []int // number of the newest saved state by scope; the last scope is GLOBAL
	streams int
}

func playLedger(t *testing.T, random *rand.Rand) {
	t.Helper()
	streams := 1 + random.IntN(4)
	names := make([]airbyte.StreamDescriptor, streams)
	for i := range names {
		names[i].Name = fmt.Sprint("stream", i)
	}
	g := &game{t: t, ledger: newLedger(names), open: make([]int64, streams), closed: make([][]int64, streams), handed: make([]int64, streams),
		acked: make([]int64, streams), newest: make([]int, streams+1), streams: streams}
	global := random.IntN(2) == 0
	for range 300 {
		stream := random.IntN(streams)
		switch random.IntN(6) {
		case 0, 1, 2:
			g.ledger.handOver(stream, 10)
			g.handed[stream]++
			g.open[stream]++
		case 3:
			g.close(stream)
		case 4:
			g.acknowledge(stream)
		default:
			g.state(stream, global)
		}
	}
	for stream := range streams {
		g.close(stream)
		for len(g.closed[stream]) > 0 {
			g.acknowledge(stream)
		}
	}
	for scope, newest := range g.newest {
		if last := g.last(scope); newest != last {
			t.Fatalf("all rows are acknowledged, the last state of scope %d is %d, saved is %d", scope, last, newest)
		}
	}
	if g.ledger.waiting() != 0 {
		t.Fatalf("%d states still wait", g.ledger.waiting())
	}
}

func (g *game) close(stream int) {
	if g.open[stream] > 0 {
		g.closed[stream] = append(g.closed[stream], g.open[stream])
		g.open[stream] = 0
		g.ledger.closeBatch(stream)
	}
}

func (g *game) acknowledge(stream int) {
	if len(g.closed[stream]) == 0 {
		return
	}
	rows := g.closed[stream][0]
	g.closed[stream] = g.closed[stream][1:]
	g.acked[stream] += rows
	g.saved(g.ledger.acknowledge(stream, rows, 10*rows))
}

func (g *game) state(stream int, global bool) {
	number := len(g.sent) + 1
	saved := SavedState{Key: fmt.Sprint("stream", stream), State: []byte(strconv.Itoa(number))}
	sent := sentState{number: number, stream: stream, at: append([]int64(nil), g.handed...)}
	if global {
		saved.Key, sent.stream = GlobalStateKey, -1
	}
	g.sent = append(g.sent, sent)
	if global {
		g.saved(g.ledger.wideState(saved))
	} else {
		g.saved(g.ledger.streamState(stream, saved))
	}
}

// saved checks states that the ledger lets go.
func (g *game) saved(states []SavedState) {
	g.t.Helper()
	for _, state := range states {
		number, err := strconv.Atoi(string(state.State))
		if err != nil {
			g.t.Fatal(err)
		}
		sent := g.sent[number-1]
		scope := sent.stream
		if scope < 0 {
			scope = g.streams
		}
		for stream, at := range sent.at {
			if (sent.stream < 0 || sent.stream == stream) && g.acked[stream] < at {
				g.t.Fatalf("state %d needs %d rows of stream %d, %d are acknowledged", number, at, stream, g.acked[stream])
			}
			if covered, ok := state.Covers[airbyte.StreamDescriptor{Name: fmt.Sprint("stream", stream)}]; ok && covered != (Position{at, 10 * at}) {
				g.t.Fatalf("state %d says that it covers %v of stream %d, it was sent at %d", number, covered, stream, at)
			}
		}
		if number <= g.newest[scope] {
			g.t.Fatalf("state %d is saved after %d", number, g.newest[scope])
		}
		g.newest[scope] = number
	}
}

// last is the number of the last state that was sent for a scope.
func (g *game) last(scope int) int {
	number := 0
	for _, sent := range g.sent {
		if sent.stream == scope || sent.stream < 0 && scope == g.streams {
			number = sent.number
		}
	}
	return number
}

func TestLedgerCoalescesStatesOfABatch(t *testing.T) {
	l := newLedger(make([]airbyte.StreamDescriptor, 1))
	for i := range 100_000 {
		l.handOver(0, 1)
		l.streamState(0, SavedState{State: []byte(strconv.Itoa(i))})
	}
	if l.waiting() != 1 {
		t.Fatalf("%d states wait for one batch", l.waiting())
	}
	l.closeBatch(0)
	if ready := l.acknowledge(0, 100_000, 100_000); len(ready) != 1 || string(ready[0].State) != "99999" {
		t.Fatalf("ready: %v", ready)
	}
}

func TestLedgerHoldsStatesBackAfterALoss(t *testing.T) {
	l := newLedger([]airbyte.StreamDescriptor{{Name: "a"}, {Name: "b"}})
	l.handOver(0, 1)
	l.streamState(0, SavedState{Key: "a", State: []byte("1")})
	l.freeze(0)
	if ready := l.acknowledge(0, 1, 1); len(ready) != 1 {
		t.Fatalf("a state from before the loss is good: %v", ready)
	}
	if ready := l.streamState(0, SavedState{Key: "a"}); ready != nil {
		t.Fatalf("a state after the loss is saved: %v", ready)
	}
	if ready := l.wideState(SavedState{Key: GlobalStateKey}); ready != nil {
		t.Fatalf("a GLOBAL state after the loss is saved: %v", ready)
	}
	if ready := l.streamState(1, SavedState{Key: "b"}); len(ready) != 1 {
		t.Fatalf("the other stream's state waits: %v", ready)
	}
}
