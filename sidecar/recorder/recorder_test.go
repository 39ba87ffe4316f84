package recorder

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/logs"
	"sync-sidecar/sidecar/sidecartest"
)

// outage is a journal in memory that does what a test says for as long as it is away.
type outage struct {
	*sidecartest.Journal
	away atomic.Value // of func(context.Context) error
}

var errAway = errors.New("connection refused")

// refusedState is a state that the journal cannot keep.
const refusedState = "{broken"

// there is a journal that is not away.
func there(context.Context) error { return nil }

func refuse(context.Context) error { return errAway }

// hang answers nothing until the caller gives up.
func hang(ctx context.Context) error {
	<-ctx.Done()
	return context.Cause(ctx)
}

// newOutage is away for states, and for the task while it is running.
func newOutage(away func(context.Context) error) *outage {
	o := &outage{Journal: sidecartest.NewJournal()}
	o.away.Store(away)
	o.OnSaveStates = func(ctx context.Context, _ []sidecar.SavedState) error { return o.meet(ctx) }
	o.OnSaveTask = func(ctx context.Context, task sidecar.TaskRecord) error {
		if task.Status != sidecar.StatusRunning {
			return nil
		}
		return o.meet(ctx)
	}
	return o
}

// meet fails or waits while the journal is away.
func (o *outage) meet(ctx context.Context) error {
	return o.away.Load().(func(context.Context) error)(ctx)
}

// order are the keys of states, each as it was saved.
func (o *outage) order() []string {
	var keys []string
	for _, state := range o.Saved() {
		keys = append(keys, state.Key)
	}
	return keys
}

// keep starts a Recorder that ends with the test.
func keep(t *testing.T, n *outage, snapshot func() sidecar.TaskRecord) *Recorder {
	t.Helper()
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

// TestRecorderOutlivesAnOutage: states wait in the order of the connector, the last of each key is saved when the journal is back.
func TestRecorderOutlivesAnOutage(t *testing.T) {
	for name, away := range map[string]func(context.Context) error{"refuses": refuse, "hangs": hang} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newOutage(away)
				k := keep(t, n, running)
				for _, state := range []sidecar.SavedState{stateOf("a", "1"), stateOf("b", "1"), stateOf("a", "2")} {
					save(k, []sidecar.SavedState{state})
					time.Sleep(time.Second)
				}
				time.Sleep(5 * time.Minute)
				if k.Unsaved() != 2 || k.Saved() != 0 {
					t.Fatalf("%d wait, %d are saved", k.Unsaved(), k.Saved())
				}
				n.away.Store(there)
				time.Sleep(Timeout + 2*journalRetryMax)
				saved, order := n.States(), n.order()
				if saved["a"] != "2" || saved["b"] != "1" || !slices.Equal(order, []string{"a", "b"}) || k.Unsaved() != 0 || len(n.Tasks()) == 0 {
					t.Errorf("saved %v in the order %v, %d wait, tasks %v", saved, order, k.Unsaved(), n.Tasks())
				}
			})
		})
	}
}

// TestRecorderSavesBesideARefusal: a state that the journal cannot keep does not hold up those of other streams, and is told of at the end.
func TestRecorderSavesBesideARefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newOutage(there)
		k := keep(t, n, running)
		save(k, []sidecar.SavedState{stateOf("a", "1"), stateOf("b", refusedState), stateOf("c", "1")})
		time.Sleep(time.Second)
		save(k, []sidecar.SavedState{stateOf("a", "2")})
		time.Sleep(2 * journalRetryMax)
		if saved := n.States(); saved["a"] != "2" || saved["c"] != "1" || k.Unsaved() != 1 || k.Saved() != 3 || len(n.Tasks()) == 0 {
			t.Errorf("saved %v, %d wait, %d are saved, tasks %v", saved, k.Unsaved(), k.Saved(), n.Tasks())
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
		n := newOutage(func(context.Context) error { time.Sleep(time.Second); return nil })
		k := keep(t, n, running)
		save(k, []sidecar.SavedState{stateOf("a", "1")})
		time.Sleep(500 * time.Millisecond)
		save(k, []sidecar.SavedState{stateOf("a", "2")})
		time.Sleep(3 * time.Second)
		if saved, writes := n.States(), len(n.Saved()); saved["a"] != "2" || writes != 2 || k.Unsaved() != 0 {
			t.Errorf("saved %v, %d writes, %d wait", saved, writes, k.Unsaved())
		}
	})
}

// TestRecorderWritesTheTaskNowAndThen: neither states that must wait for their rows nor those that need not make it look at the task more often.
func TestRecorderWritesTheTaskNowAndThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newOutage(there)
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
		if tasks := len(n.Tasks()); looks > 6 || tasks > 6 || looks < 4 {
			t.Errorf("%d looks at the task, %d writes in 10 s", looks, tasks)
		}
	})
}

// TestLaterStateWins: of the states of a key the one of the highest order is saved, also when it comes first, or while an earlier one is refused.
func TestLaterStateWins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newOutage(there)
		var k *Recorder
		n.OnSaveStates = func(_ context.Context, states []sidecar.SavedState) error {
			for _, state := range states {
				if string(state.State) == refusedState {
					k.Save(4, []sidecar.SavedState{stateOf("b", "4")})
					return sidecar.ErrStateRefused
				}
			}
			return nil
		}
		k = keep(t, n, running)
		k.Save(2, []sidecar.SavedState{stateOf("a", "2")})
		k.Save(1, []sidecar.SavedState{stateOf("a", "1")})
		synctest.Wait()
		k.Save(1, []sidecar.SavedState{stateOf("a", "1")})
		k.Save(3, []sidecar.SavedState{stateOf("b", refusedState)})
		time.Sleep(time.Minute)
		if saved := n.States(); saved["a"] != "2" || saved["b"] != "4" || k.Unsaved() != 0 {
			t.Errorf("saved %v, %d wait", saved, k.Unsaved())
		}
	})
}

// TestStatesShareWrites: a connector that sends a state for every row does not cause a write for each.
func TestStatesShareWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newOutage(there)
		writes := 0
		n.OnSaveStates = func(context.Context, []sidecar.SavedState) error {
			writes++
			return nil
		}
		k := keep(t, n, running)
		for range 1000 {
			save(k, []sidecar.SavedState{stateOf("a", "1")})
			time.Sleep(time.Millisecond)
		}
		synctest.Wait()
		if writes < 10 || writes > 11 {
			t.Errorf("%d writes in a second", writes)
		}
	})
}

// TestRecorderEndsInTime: however the journal fails, the verdict has its moment, and knows of the states that are lost.
func TestRecorderEndsInTime(t *testing.T) {
	for name, c := range map[string]struct {
		away  func(context.Context) error
		limit time.Duration
		loses bool
	}{
		"refuses":         {refuse, time.Minute, true},
		"hangs":           {hang, time.Minute, true},
		"hangs, no time":  {hang, time.Second, true},
		"is there":        {there, time.Minute, false},
		"is there, hurry": {there, 100 * time.Millisecond, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newOutage(c.away)
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
				if tasks := n.Tasks(); err != nil || len(tasks) != 1 || (lost != nil) != c.loses || time.Since(began) > c.limit {
					t.Errorf("%v; recorded %v, states lost: %v, after %v", err, tasks, lost, time.Since(began))
				}
			})
		})
	}
}

// TestRecorderGivesTheVerdictUp when the journal takes nothing at all.
func TestRecorderGivesTheVerdictUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newOutage(refuse)
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
