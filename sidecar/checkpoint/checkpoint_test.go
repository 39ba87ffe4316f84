package checkpoint

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
)

// TestTrackerNeverRunsAhead plays random syncs against the plain meaning of I1: a state may be saved when, and as soon as, each row that the
// connector had sent before it is acknowledged, for its stream or, GLOBAL, for all.
func TestTrackerNeverRunsAhead(t *testing.T) {
	for seed := range uint64(500) {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			t.Parallel()
			playTracker(t, rand.New(rand.NewPCG(seed, 1)))
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
	tracker *Tracker
	open    []int64   // rows in the open batch, by stream
	closed  [][]int64 // rows of closed batches that are not acknowledged
	handed  []int64
	acked   []int64
	sent    []sentState
	newest  []int // number of the newest saved state by scope; the last scope is GLOBAL
	streams int
}

func playTracker(t *testing.T, random *rand.Rand) {
	t.Helper()
	count := 1 + random.IntN(4)
	names := make([]string, count)
	for i := range names {
		names[i] = fmt.Sprint("stream", i)
	}
	g := &game{t: t, tracker: New(streams(names...)), open: make([]int64, count), closed: make([][]int64, count), handed: make([]int64, count),
		acked: make([]int64, count), newest: make([]int, count+1), streams: count}
	global := random.IntN(2) == 0
	for range 300 {
		stream := random.IntN(count)
		switch random.IntN(6) {
		case 0, 1, 2:
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
	for stream := range count {
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
	if g.tracker.Waiting() != 0 {
		t.Fatalf("%d states still wait", g.tracker.Waiting())
	}
}

// position is how far a stream has come.
func (g *game) position(stream int) sidecar.Position {
	return sidecar.Position{Rows: g.handed[stream], Bytes: 10 * g.handed[stream]}
}

// streams are streams of the names given whose rows are added.
func streams(names ...string) []sidecar.StreamConfig {
	configs := make([]sidecar.StreamConfig, len(names))
	for i, name := range names {
		configs[i].Table.Stream.Name = name
	}
	return configs
}

// at is a number of rows of a byte each.
func at(rows int64) sidecar.Position { return sidecar.Position{Rows: rows, Bytes: rows} }

// all gives the positions of streams.
func all(positions ...sidecar.Position) func(int) sidecar.Position {
	return func(stream int) sidecar.Position { return positions[stream] }
}

func (g *game) close(stream int) {
	if g.open[stream] > 0 {
		g.closed[stream] = append(g.closed[stream], g.open[stream])
		g.open[stream] = 0
		g.tracker.CloseBatch(stream)
	}
}

func (g *game) acknowledge(stream int) {
	if len(g.closed[stream]) == 0 {
		return
	}
	rows := g.closed[stream][0]
	g.closed[stream] = g.closed[stream][1:]
	g.acked[stream] += rows
	g.saved(g.tracker.Acknowledge(stream, rows, 10*rows))
}

func (g *game) state(stream int, global bool) {
	number := len(g.sent) + 1
	saved := sidecar.SavedState{Key: fmt.Sprint("stream", stream), State: []byte(strconv.Itoa(number))}
	sent := sentState{number: number, stream: stream, at: append([]int64(nil), g.handed...)}
	if global {
		saved.Key, sent.stream = sidecar.GlobalStateKey, -1
	}
	g.sent = append(g.sent, sent)
	if global {
		g.saved(g.tracker.GlobalState(g.position, saved))
	} else {
		g.saved(g.tracker.StreamState(stream, g.position(stream), saved))
	}
}

// saved checks states that the tracker lets go.
func (g *game) saved(states []sidecar.SavedState) {
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
			name := airbyte.StreamDescriptor{Name: fmt.Sprint("stream", stream)}
			if covered, ok := state.Covers[name]; ok && covered != (sidecar.Position{Rows: at, Bytes: 10 * at}) {
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

func TestTrackerCoalescesStatesOfABatch(t *testing.T) {
	tracker := New(streams("a"))
	for i := range 100_000 {
		tracker.StreamState(0, at(int64(i+1)), sidecar.SavedState{State: []byte(strconv.Itoa(i))})
	}
	if tracker.Waiting() != 1 {
		t.Fatalf("%d states wait for one batch", tracker.Waiting())
	}
	tracker.CloseBatch(0)
	if ready := tracker.Acknowledge(0, 100_000, 100_000); len(ready) != 1 || string(ready[0].State) != "99999" {
		t.Fatalf("ready: %v", ready)
	}
}

func TestTrackerHoldsStatesBackAfterALoss(t *testing.T) {
	tracker := New(streams("a", "b"))
	tracker.StreamState(0, at(1), sidecar.SavedState{Key: "a", State: []byte("1")})
	tracker.Freeze(0)
	if ready := tracker.Acknowledge(0, 1, 1); len(ready) != 1 {
		t.Fatalf("a state from before the loss is good: %v", ready)
	}
	if ready := tracker.StreamState(0, at(1), sidecar.SavedState{Key: "a"}); ready != nil {
		t.Fatalf("a state after the loss is saved: %v", ready)
	}
	if ready := tracker.GlobalState(all(at(1), at(0)), sidecar.SavedState{Key: sidecar.GlobalStateKey}); ready != nil {
		t.Fatalf("a GLOBAL state after the loss is saved: %v", ready)
	}
	if ready := tracker.StreamState(1, at(0), sidecar.SavedState{Key: "b"}); len(ready) != 1 {
		t.Fatalf("the other stream's state waits: %v", ready)
	}
}

// TestTrackerBoundsGlobalStates has one stream lag behind while others close batches: the states of all streams that wait do not pile up, and the
// last one is saved.
func TestTrackerBoundsGlobalStates(t *testing.T) {
	tracker := New(streams("slow", "fast"))
	for i := range 10_000 {
		state := sidecar.SavedState{Key: sidecar.GlobalStateKey, State: json.RawMessage(string(rune('0' + i%10)))}
		if ready := tracker.GlobalState(all(at(1), at(int64(i+1))), state); len(ready) > 0 {
			t.Fatal("a state is ahead of its rows")
		}
		tracker.CloseBatch(1)
		tracker.Acknowledge(1, 1, 1)
	}
	if tracker.Waiting() > maxGlobal+1 {
		t.Errorf("%d states wait", tracker.Waiting())
	}
	ready := tracker.Acknowledge(0, 1, 1)
	if len(ready) != 1 || string(ready[0].State) != "9" || ready[0].Covers[tracker.streams[1].stream].Rows != 10_000 || tracker.Waiting() != 0 {
		t.Errorf("%v, %d wait", ready, tracker.Waiting())
	}
}

// TestTrackerBoundsLargeGlobalStates is the same with states as large as a database's schema history: few of them wait.
func TestTrackerBoundsLargeGlobalStates(t *testing.T) {
	tracker := New(streams("slow", "fast"))
	var state json.RawMessage
	for i := range 100 {
		state = make([]byte, 3<<20)
		tracker.GlobalState(all(at(1), at(int64(i+1))), sidecar.SavedState{Key: sidecar.GlobalStateKey, State: state})
		tracker.CloseBatch(1)
		tracker.Acknowledge(1, 1, 1)
		if tracker.globalBytes() > maxGlobalBytes {
			t.Fatalf("%d bytes wait in %d states", tracker.globalBytes(), tracker.Waiting())
		}
	}
	if tracker.Waiting() < 2 {
		t.Errorf("%d states wait: one in between would save some work", tracker.Waiting())
	}
	if ready := tracker.Acknowledge(0, 1, 1); len(ready) != 1 || &ready[0].State[0] != &state[0] {
		t.Errorf("%d states are ready, want the last", len(ready))
	}
}

// TestPendingStatesDoNotPileUp sends many states before the first row.
func TestPendingStatesDoNotPileUp(t *testing.T) {
	t.Parallel()
	pending := streams("a")
	pending[0].Mode = sidecar.ReplaceFirst
	tracker := New(pending)
	for range 1000 {
		if ready := tracker.StreamState(0, at(0), sidecar.SavedState{Key: "a", State: []byte("1")}); len(ready) > 0 {
			t.Fatal("a state is saved before the table is replaced")
		}
	}
	if tracker.Waiting() != 1 {
		t.Errorf("%d states wait", tracker.Waiting())
	}
}
