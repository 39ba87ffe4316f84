package recorder

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

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/logs"
)

// faultyJournal is a Journal in memory, for a bubble of synctest: what it does while it is away is up to the test.
type faultyJournal struct {
	mu    sync.Mutex
	away  func(ctx context.Context) error // nil: it is there
	saved map[string]string
	order []string // keys, each as it was saved
	tasks []sidecar.TaskRecord
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

// SaveStates implements sidecar.Journal.
func (n *faultyJournal) SaveStates(ctx context.Context, states []sidecar.SavedState) error {
	if err := n.open(ctx); err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, state := range states {
		if string(state.State) == refusedState {
			return fmt.Errorf("%w: numeric overflow", sidecar.ErrStateRefused)
		}
	}
	for _, state := range states {
		n.saved[state.Key] = string(state.State)
		n.order = append(n.order, state.Key)
	}
	return nil
}

// SaveTask implements sidecar.Journal.
func (n *faultyJournal) SaveTask(ctx context.Context, task sidecar.TaskRecord) error {
	if task.Status == sidecar.StatusRunning {
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

func (n *faultyJournal) Lock(context.Context) error                               { return nil }
func (n *faultyJournal) LoadStates(context.Context) ([]sidecar.SavedState, error) { return nil, nil }
func (n *faultyJournal) SaveResult(context.Context, sidecar.Result) error         { return nil }
func (n *faultyJournal) AppendLogs(context.Context, []sidecar.LogRecord) error    { return nil }
func (n *faultyJournal) Close(context.Context) error                              { return nil }
func (n *faultyJournal) String() string                                           { return "faulty journal" }

// keep starts a Recorder that ends with the test.
func keep(t *testing.T, n *faultyJournal, snapshot func() sidecar.TaskRecord) *Recorder {
	t.Helper()
	n.saved = map[string]string{}
	k := New(n, logs.New(logs.Options{Format: zerolog.Nop(), Mask: func(text string) string { return text }}))
	quit := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() { k.Run(t.Context(), quit, snapshot) })
	t.Cleanup(func() { close(quit); running.Wait() })
	return k
}

func running() sidecar.TaskRecord { return sidecar.TaskRecord{Status: sidecar.StatusRunning} }

// save gives states to a recorder, each call later than the one before.
func save(r *Recorder, states []sidecar.SavedState) {
	r.mu.Lock()
	order := int64(len(r.newest)) + time.Now().UnixNano()
	r.mu.Unlock()
	r.Save(order, states)
}

func stateOf(key, state string) sidecar.SavedState {
	return sidecar.SavedState{Key: key, State: json.RawMessage(state)}
}

// TestRecorderOutlivesAnOutage: states wait in the order of the source, the last of each key is saved when the journal is back.
func TestRecorderOutlivesAnOutage(t *testing.T) {
	for name, away := range map[string]func(context.Context) error{"refuses": refuse, "hangs": hang} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := &faultyJournal{away: away}
				k := keep(t, n, running)
				for _, state := range []sidecar.SavedState{stateOf("a", "1"), stateOf("b", "1"), stateOf("a", "2")} {
					save(k, []sidecar.SavedState{state})
					time.Sleep(time.Second)
				}
				time.Sleep(5 * time.Minute)
				if k.Unsaved() != 2 || k.Saved() != 0 {
					t.Fatalf("%d wait, %d are saved", k.Unsaved(), k.Saved())
				}
				n.set(nil)
				time.Sleep(Timeout + 2*journalRetryMax)
				saved, order, tasks := n.holds()
				if saved["a"] != "2" || saved["b"] != "1" || !slices.Equal(order, []string{"a", "b"}) || k.Unsaved() != 0 || tasks == 0 {
					t.Errorf("saved %v in the order %v, %d wait, %d tasks", saved, order, k.Unsaved(), tasks)
				}
			})
		})
	}
}

// TestRecorderSavesBesideARefusal: a state that the journal cannot keep does not hold up those of other streams, and is told of at the end.
func TestRecorderSavesBesideARefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &faultyJournal{}
		k := keep(t, n, running)
		save(k, []sidecar.SavedState{stateOf("a", "1"), stateOf("b", refusedState), stateOf("c", "1")})
		time.Sleep(time.Second)
		save(k, []sidecar.SavedState{stateOf("a", "2")})
		time.Sleep(2 * journalRetryMax)
		if saved, _, tasks := n.holds(); saved["a"] != "2" || saved["c"] != "1" || k.Unsaved() != 1 || k.Saved() != 3 || tasks == 0 {
			t.Errorf("saved %v, %d wait, %d are saved, %d tasks", saved, k.Unsaved(), k.Saved(), tasks)
		}
		began, told := time.Now(), error(nil)
		err := k.Finish(t.Context(), func(lost error) sidecar.TaskRecord {
			told = lost
			return sidecar.TaskRecord{Status: sidecar.StatusFailed}
		})
		if err != nil || !errors.Is(told, sidecar.ErrStateRefused) || !strings.Contains(told.Error(), `"b"`) || time.Since(began) > time.Second {
			t.Errorf("finished after %v with %v, told %v", time.Since(began), err, told)
		}
	})
}

// TestRecorderMissesNoState has one arrive while its predecessor is being written.
func TestRecorderMissesNoState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &faultyJournal{away: func(context.Context) error { time.Sleep(time.Second); return nil }}
		k := keep(t, n, running)
		save(k, []sidecar.SavedState{stateOf("a", "1")})
		time.Sleep(500 * time.Millisecond)
		save(k, []sidecar.SavedState{stateOf("a", "2")})
		time.Sleep(3 * time.Second)
		if saved, order, _ := n.holds(); saved["a"] != "2" || len(order) != 2 || k.Unsaved() != 0 {
			t.Errorf("saved %v, %d writes, %d wait", saved, len(order), k.Unsaved())
		}
	})
}

// TestRecorderWritesTheTaskNowAndThen: neither states that must wait for their rows nor those that need not make it look at the task more often.
func TestRecorderWritesTheTaskNowAndThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &faultyJournal{}
		looks := 0
		k := keep(t, n, func() sidecar.TaskRecord {
			looks++
			return sidecar.TaskRecord{Status: sidecar.StatusRunning, Description: string(rune(looks))}
		})
		for range 1000 {
			k.Save(0, nil)
			save(k, []sidecar.SavedState{stateOf("a", "1")})
			time.Sleep(10 * time.Millisecond)
		}
		synctest.Wait()
		if _, _, tasks := n.holds(); looks > 6 || tasks > 6 || looks < 4 {
			t.Errorf("%d looks at the task, %d writes in 10 s", looks, tasks)
		}
	})
}

// TestRecorderEndsInTime: however the journal fails, the verdict has its moment, and knows of the states that are lost.
func TestRecorderEndsInTime(t *testing.T) {
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
				k := New(n, logs.New(logs.Options{Format: zerolog.Nop(), Mask: func(text string) string { return text }}))
				save(k, []sidecar.SavedState{stateOf("a", "1")})
				ctx, cancel := context.WithTimeout(t.Context(), c.limit)
				defer cancel()
				began := time.Now()
				var lost error
				err := k.Finish(ctx, func(unsaved error) sidecar.TaskRecord {
					lost = unsaved
					return sidecar.TaskRecord{Status: sidecar.StatusSuccess}
				})
				_, _, tasks := n.holds()
				if err != nil || tasks != 1 || (lost != nil) != (c.away != nil) || time.Since(began) > c.limit {
					t.Errorf("%v; %d verdicts recorded, states lost: %v, after %v", err, tasks, lost, time.Since(began))
				}
			})
		})
	}
}

// TestRecorderGivesTheVerdictUp when the journal takes nothing at all.
func TestRecorderGivesTheVerdictUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &faultyJournal{away: refuse}
		k := New(n, logs.New(logs.Options{Format: zerolog.Nop(), Mask: func(text string) string { return text }}))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		began := time.Now()
		err := k.Finish(ctx, func(error) sidecar.TaskRecord { return running() })
		if !errors.Is(err, errAway) || time.Since(began) > time.Minute {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}
