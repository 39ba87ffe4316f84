package sidecar

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"sync-sidecar/sidecar/airbyte"
)

// faultyJournal is a Journal in memory, for a bubble of synctest: what it does while it is away is up to the test.
type faultyJournal struct {
	mu    sync.Mutex
	away  func(ctx context.Context) error // nil: it is there
	saved map[string]string
	order []string // keys, each as it was saved
	tasks []TaskRecord
}

var errAway = errors.New("connection refused")

// refusedState is a state that the faultyJournal cannot keep, as Postgres' jsonb cannot.
const refusedState = "1e200000"

func refuse(context.Context) error { return errAway }

// hang answers nothing until the caller gives up.
func hang(ctx context.Context) error {
	<-ctx.Done()
	return context.Cause(ctx)
}

func (n *faultyJournal) set(away func(context.Context) error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.away = away
}

// open fails while the faultyJournal is away.
func (n *faultyJournal) open(ctx context.Context) error {
	n.mu.Lock()
	away := n.away
	n.mu.Unlock()
	if away == nil {
		return ctx.Err()
	}
	return away(ctx)
}

// SaveStates implements Journal.
func (n *faultyJournal) SaveStates(ctx context.Context, states []SavedState) error {
	if err := n.open(ctx); err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, state := range states {
		if string(state.State) == refusedState {
			return fmt.Errorf("%w: numeric overflow", ErrStateRefused)
		}
	}
	for _, state := range states {
		n.saved[state.Key] = string(state.State)
		n.order = append(n.order, state.Key)
	}
	return nil
}

// SaveTask implements Journal.
func (n *faultyJournal) SaveTask(ctx context.Context, task TaskRecord) error {
	if task.Status == StatusRunning {
		if err := n.open(ctx); err != nil {
			return err
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.tasks = append(n.tasks, task)
	return nil
}

func (n *faultyJournal) holds() (map[string]string, []string, int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.saved, slices.Clone(n.order), len(n.tasks)
}

func (n *faultyJournal) Lock(context.Context) error                       { return nil }
func (n *faultyJournal) LoadStates(context.Context) ([]SavedState, error) { return nil, nil }
func (n *faultyJournal) SaveResult(context.Context, Result) error         { return nil }
func (n *faultyJournal) AppendLogs(context.Context, []LogRecord) error    { return nil }
func (n *faultyJournal) Close(context.Context) error                      { return nil }
func (n *faultyJournal) String() string                                   { return "faulty journal" }

// keep starts a keeper that ends with the test.
func keep(t *testing.T, n *faultyJournal, snapshot func() TaskRecord) *keeper {
	t.Helper()
	n.saved = map[string]string{}
	k := newKeeper(n, NewLogs(LogOptions{Local: zerolog.Nop(), Mask: func(text string) string { return text }}))
	quit := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() { k.run(t.Context(), quit, snapshot) })
	t.Cleanup(func() { close(quit); running.Wait() })
	return k
}

func running() TaskRecord { return TaskRecord{Status: StatusRunning} }

func stateOf(key, state string) SavedState {
	return SavedState{Key: key, State: json.RawMessage(state)}
}

// TestKeeperOutlivesAnOutage: states wait in the order of the source, the last of each key is saved when the journal is back.
func TestKeeperOutlivesAnOutage(t *testing.T) {
	for name, away := range map[string]func(context.Context) error{"refuses": refuse, "hangs": hang} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := &faultyJournal{away: away}
				k := keep(t, n, running)
				for _, state := range []SavedState{stateOf("a", "1"), stateOf("b", "1"), stateOf("a", "2")} {
					k.save([]SavedState{state})
					time.Sleep(time.Second)
				}
				time.Sleep(5 * time.Minute)
				if k.unsaved() != 2 || k.count() != 0 {
					t.Fatalf("%d wait, %d are saved", k.unsaved(), k.count())
				}
				n.set(nil)
				time.Sleep(journalTimeout + 2*journalRetryMax)
				saved, order, tasks := n.holds()
				if saved["a"] != "2" || saved["b"] != "1" || !slices.Equal(order, []string{"a", "b"}) || k.unsaved() != 0 || tasks == 0 {
					t.Errorf("saved %v in the order %v, %d wait, %d tasks", saved, order, k.unsaved(), tasks)
				}
			})
		})
	}
}

// TestKeeperSavesBesideARefusal: a state that the journal cannot keep does not hold up those of other streams, and is told of at the end.
func TestKeeperSavesBesideARefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &faultyJournal{}
		k := keep(t, n, running)
		k.save([]SavedState{stateOf("a", "1"), stateOf("b", refusedState), stateOf("c", "1")})
		time.Sleep(time.Second)
		k.save([]SavedState{stateOf("a", "2")})
		time.Sleep(2 * journalRetryMax)
		if saved, _, tasks := n.holds(); saved["a"] != "2" || saved["c"] != "1" || k.unsaved() != 1 || k.count() != 3 || tasks == 0 {
			t.Errorf("saved %v, %d wait, %d are saved, %d tasks", saved, k.unsaved(), k.count(), tasks)
		}
		began, told := time.Now(), error(nil)
		err := k.finish(t.Context(), func(lost error) TaskRecord { told = lost; return TaskRecord{Status: StatusFailed} })
		if err != nil || !errors.Is(told, ErrStateRefused) || !strings.Contains(told.Error(), `"b"`) || time.Since(began) > time.Second {
			t.Errorf("finished after %v with %v, told %v", time.Since(began), err, told)
		}
	})
}

// TestKeeperMissesNoState has one arrive while its predecessor is being written.
func TestKeeperMissesNoState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &faultyJournal{away: func(context.Context) error { time.Sleep(time.Second); return nil }}
		k := keep(t, n, running)
		k.save([]SavedState{stateOf("a", "1")})
		time.Sleep(500 * time.Millisecond)
		k.save([]SavedState{stateOf("a", "2")})
		time.Sleep(3 * time.Second)
		if saved, order, _ := n.holds(); saved["a"] != "2" || len(order) != 2 || k.unsaved() != 0 {
			t.Errorf("saved %v, %d writes, %d wait", saved, len(order), k.unsaved())
		}
	})
}

// TestKeeperWritesTheTaskNowAndThen: neither states that must wait for their rows nor those that need not make it look at the task more often.
func TestKeeperWritesTheTaskNowAndThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &faultyJournal{}
		looks := 0
		k := keep(t, n, func() TaskRecord { looks++; return TaskRecord{Status: StatusRunning, Description: string(rune(looks))} })
		for range 1000 {
			k.save(nil)
			k.save([]SavedState{stateOf("a", "1")})
			time.Sleep(10 * time.Millisecond)
		}
		synctest.Wait()
		if _, _, tasks := n.holds(); looks > 6 || tasks > 6 || looks < 4 {
			t.Errorf("%d looks at the task, %d writes in 10 s", looks, tasks)
		}
	})
}

// TestKeeperEndsInTime: however the journal fails, the verdict has its moment, and knows of the states that are lost.
func TestKeeperEndsInTime(t *testing.T) {
	for name, c := range map[string]struct {
		away  func(context.Context) error
		limit time.Duration
	}{
		"refuses":         {refuse, time.Minute},
		"hangs":           {hang, time.Minute},
		"hangs, no time":  {hang, time.Second},
		"is there":        {nil, time.Minute},
		"is there, hurry": {nil, 100 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := &faultyJournal{away: c.away, saved: map[string]string{}}
				k := newKeeper(n, NewLogs(LogOptions{Local: zerolog.Nop(), Mask: func(text string) string { return text }}))
				k.save([]SavedState{stateOf("a", "1")})
				ctx, cancel := context.WithTimeout(t.Context(), c.limit)
				defer cancel()
				began := time.Now()
				var lost error
				err := k.finish(ctx, func(unsaved error) TaskRecord { lost = unsaved; return TaskRecord{Status: StatusSuccess} })
				_, _, tasks := n.holds()
				if err != nil || tasks != 1 || (lost != nil) != (c.away != nil) || time.Since(began) > c.limit {
					t.Errorf("%v; %d verdicts recorded, states lost: %v, after %v", err, tasks, lost, time.Since(began))
				}
			})
		})
	}
}

// TestKeeperGivesTheVerdictUp when the journal takes nothing at all.
func TestKeeperGivesTheVerdictUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &faultyJournal{away: refuse}
		k := newKeeper(n, NewLogs(LogOptions{Local: zerolog.Nop(), Mask: func(text string) string { return text }}))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		began := time.Now()
		err := k.finish(ctx, func(error) TaskRecord { return running() })
		if !errors.Is(err, errAway) || time.Since(began) > time.Minute {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}

// TestLedgerBoundsWideStates has one stream lag behind while others close batches: the states of all streams that wait do not pile up, and the last
// one is saved.
func TestLedgerBoundsWideStates(t *testing.T) {
	l := newLedger([]airbyte.StreamDescriptor{{Name: "slow"}, {Name: "fast"}})
	l.handOver(0, 1)
	for i := range 10_000 {
		l.handOver(1, 1)
		if ready := l.wideState(SavedState{Key: GlobalStateKey, State: json.RawMessage(string(rune('0' + i%10)))}); len(ready) > 0 {
			t.Fatal("a state is ahead of its rows")
		}
		l.closeBatch(1)
		l.acknowledge(1, 1, 1)
	}
	if l.waiting() > mostWide+1 {
		t.Errorf("%d states wait", l.waiting())
	}
	ready := l.acknowledge(0, 1, 1)
	if len(ready) != 1 || string(ready[0].State) != "9" || ready[0].Covers[l.streams[1].stream].Rows != 10_000 || l.waiting() != 0 {
		t.Errorf("%v, %d wait", ready, l.waiting())
	}
}

// TestLedgerBoundsLargeWideStates is the same with states as large as a database's schema history: few of them wait.
func TestLedgerBoundsLargeWideStates(t *testing.T) {
	l := newLedger([]airbyte.StreamDescriptor{{Name: "slow"}, {Name: "fast"}})
	l.handOver(0, 1)
	var state json.RawMessage
	for range 100 {
		l.handOver(1, 1)
		state = make([]byte, 3<<20)
		l.wideState(SavedState{Key: GlobalStateKey, State: state})
		l.closeBatch(1)
		l.acknowledge(1, 1, 1)
		if l.wideBytes() > mostWideBytes {
			t.Fatalf("%d bytes wait in %d states", l.wideBytes(), l.waiting())
		}
	}
	if l.waiting() < 2 {
		t.Errorf("%d states wait: one in between would save some work", l.waiting())
	}
	if ready := l.acknowledge(0, 1, 1); len(ready) != 1 || &ready[0].State[0] != &state[0] {
		t.Errorf("%d states are ready, want the last", len(ready))
	}
}
