package loader

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
	"sync-sidecar/sidecar/logs"
	"sync-sidecar/sidecar/sidecartest"
)

// vault is a loader in front of a sidecartest.Committer, and what was sent to it.
type vault struct {
	t       *testing.T
	loader  *Loader
	into    *sidecartest.Committer
	configs []sidecar.StreamConfig
	sent    []int // rows, by stream
	states  int
	at      map[string][]int // where the streams stood at a state, by its content
}

func newVault(t *testing.T, change func(*Config), streams ...sidecar.StreamConfig) *vault {
	t.Helper()
	v := &vault{t: t, into: sidecartest.NewCommitter(), configs: streams,
		sent: make([]int, len(streams)), at: map[string][]int{}}
	v.into.Can = sidecar.Capabilities{ReplaceEmpty: true, LiveFor: time.Minute}
	for i := range streams {
		name := string(rune('a' + i))
		streams[i].Table.Name, streams[i].Table.Stream = name, airbyte.StreamDescriptor{Name: name}
	}
	config := DefaultConfig()
	config.Spool.Dir, config.Spool.MinFree = t.TempDir(), 0
	if change != nil {
		change(&config)
	}
	logger := logs.New(logs.Options{Format: zerolog.Nop(), Mask: func(text string) string { return text }})
	journal := v.into.Mirror(sidecartest.NewJournal())
	v.loader = New(t.Context(), config, streams, v.into, logger, func(_ int64, states []sidecar.SavedState) {
		if err := journal.SaveStates(context.Background(), states); err != nil {
			t.Error(err)
		}
	})
	return v
}

func (v *vault) rows(stream, n int) {
	for range n {
		v.sent[stream]++
		v.loader.Row(stream, fmt.Appendf(nil, `{"n":%d}`, v.sent[stream]), nil)
	}
}

// state sends a STREAM state of a stream; all of them with -1: a GLOBAL one.
func (v *vault) state(stream int) {
	v.states++
	content := strconv.Itoa(v.states)
	v.at[content] = slices.Clone(v.sent)
	if stream < 0 {
		v.loader.GlobalState(sidecar.SavedState{Key: sidecar.GlobalStateKey, State: []byte(content)}, time.Now())
		return
	}
	state := sidecar.SavedState{Key: v.configs[stream].Table.Name, Stream: v.configs[stream].Table.Stream, State: []byte(content)}
	if v.configs[stream].Incremental {
		state.Incremental = len(v.configs)
	}
	v.loader.StreamState(stream, state, time.Now())
}

// finish ends the streams, of which those in broken did not end well.
func (v *vault) finish(broken ...int) {
	for stream := range v.configs {
		v.loader.End(stream, !slices.Contains(broken, stream))
	}
	v.loader.Finish()
	v.loader.Wait()
}

// expectRows compares how many rows the tables hold.
func (v *vault) expectRows(want ...int) {
	v.t.Helper()
	synctest.Wait()
	view := v.into.Look()
	for stream, rows := range want {
		if got := len(view.Rows[v.configs[stream].Table.Name]); got != rows {
			v.t.Fatalf("table %s has %d rows, want %d (error %v)", v.configs[stream].Table.Name, got, rows, v.loader.Progress()[stream].Err)
		}
	}
}

// exact checks that each table without a key holds the rows that the committed state of its stream covers, once, and no other. ended says that the
// rows after the last state may be there, too.
func (v *vault) exact(ended bool) {
	v.t.Helper()
	view := v.into.Look()
	for i, config := range v.configs {
		rows := view.Rows[config.Table.Name]
		for n, row := range rows {
			if want := fmt.Sprintf(`{"n":%d}`, n+1); row != want {
				v.t.Fatalf("row %d of table %s is %s", n+1, config.Table.Name, row)
			}
		}
		if !config.Incremental {
			if len(rows) != 0 && (!ended || len(rows) != v.sent[i]) {
				v.t.Fatalf("table %s of a full refresh has %d rows of %d", config.Table.Name, len(rows), v.sent[i])
			}
			continue
		}
		covered := 0
		for _, key := range []string{config.Table.Name, sidecar.GlobalStateKey} {
			if state, found := view.States[key]; found {
				covered = max(covered, v.at[string(state.State)][i])
			}
		}
		if len(rows) != covered && (!ended || len(rows) != v.sent[i]) {
			v.t.Fatalf("table %s has %d rows, the committed state covers %d (%d were sent)", config.Table.Name, len(rows), covered, v.sent[i])
		}
	}
}

func incremental() sidecar.StreamConfig { return sidecar.StreamConfig{Incremental: true} }

// TestExactBatchEndsAtState: rows after a state wait for the next one, however many they are.
func TestExactBatchEndsAtState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVault(t, func(c *Config) { c.Batch.Rows = 80 }, incremental())
		v.rows(0, 7)
		v.state(0)
		v.rows(0, 500) // loaded meanwhile, and not committed
		v.expectRows(0)
		v.state(0)
		v.rows(0, 3)
		v.expectRows(507)
		v.exact(false)
		v.finish()
		v.expectRows(510)
	})
}

// TestTailOfBrokenStreamIsLeft: what no state covers is not committed when the stream did not end well, also when it is being loaded.
func TestTailOfBrokenStreamIsLeft(t *testing.T) {
	for _, tail := range []int{1, 500} {
		synctest.Test(t, func(t *testing.T) {
			v := newVault(t, func(c *Config) { c.Batch.Rows = 80 }, incremental(), incremental(), sidecar.StreamConfig{})
			v.rows(0, 5)
			v.state(0)
			v.rows(0, tail)
			v.rows(1, tail) // no state at all
			v.rows(2, tail)
			synctest.Wait()
			v.finish(0, 1, 2)
			v.expectRows(5, 0, 0)
			v.exact(true)
			if committed := v.into.Look().States["a"]; string(committed.State) != "1" {
				t.Fatalf("committed is %q", committed.State)
			}
		})
	}
}

// TestGlobalStateCommitsAllTables at once.
func TestGlobalStateCommitsAllTables(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		keyed := sidecar.StreamConfig{Incremental: true, Table: sidecar.Table{PrimaryKey: [][]string{{"n"}}}}
		v := newVault(t, func(c *Config) { c.Batch.Rows = 80 }, incremental(), incremental(), keyed)
		v.into.OnCommit = func() error { v.keyless().exact(false); return nil }
		v.rows(0, 500)
		v.rows(1, 3)
		v.rows(2, 5)
		v.state(-1)
		v.expectRows(500, 3, 5)
		v.rows(0, 2)
		v.state(-1) // nothing to hurry for
		v.rows(1, 1)
		v.expectRows(500, 3, 5)
		v.finish(1) // only what the last state covers
		v.expectRows(502, 3, 5)
		v.keyless().exact(true)
	})
}

// TestGroupFailsTogether: rows of one state are committed together, or none.
func TestGroupFailsTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVault(t, func(c *Config) { c.Batch.Rows = 80 }, incremental(), incremental(), incremental())
		v.rows(0, 5)
		v.rows(1, 5)
		v.loader.Fail(1, &sidecar.LoadError{Permanent: true, Message: "no such column"})
		v.rows(2, 500)
		v.state(-1)
		v.finish()
		v.expectRows(0, 0, 0)
		if err := v.loader.Progress()[2].Err; err == nil || !strings.Contains(err.Error(), "another stream") {
			t.Fatalf("the other stream's error is %v", err)
		}
	})
}

// TestQuietSourceIsCommitted: rows that a state covers do not wait for the next one.
func TestQuietSourceIsCommitted(t *testing.T) {
	for _, scope := range []int{0, -1} {
		synctest.Test(t, func(t *testing.T) {
			v := newVault(t, nil, incremental(), incremental())
			v.rows(0, 5)
			v.state(scope)
			v.expectRows(0)
			time.Sleep(31 * time.Second)
			v.loader.Tick(time.Now())
			v.expectRows(5)
			v.finish()
		})
	}
}

// TestStateAfterTheEnd: a connector may say that a stream is complete, and send its last state then; its rows are committed with that.
func TestStateAfterTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVault(t, nil, incremental(), incremental())
		v.into.OnCommit = func() error { v.exact(false); return nil }
		v.rows(0, 5)
		v.rows(1, 5)
		v.loader.End(0, true)
		v.state(1)
		v.loader.End(1, true)
		v.expectRows(0, 5)
		v.state(0)
		v.expectRows(5, 5)
		v.finish()
		v.expectRows(5, 5)
	})
}

// TestManyStatesOfAll: however many states of all streams wait, rows are committed with the one that covers them.
func TestManyStatesOfAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		streams := make([]sidecar.StreamConfig, 100)
		for i := range streams {
			streams[i] = incremental()
		}
		v := newVault(t, func(c *Config) { c.Batch.StateAge = time.Millisecond }, streams...)
		v.into.OnLoad = func(sidecar.Load, io.Reader) error { time.Sleep(5 * time.Second); return nil }
		var commits atomic.Int64
		v.into.OnCommit = func() error { commits.Add(1); return nil }
		for turn := range 1000 {
			v.rows(turn%len(streams), 2)
			time.Sleep(10 * time.Millisecond)
			v.state(-1)
			v.exact(false)
		}
		for range 60 {
			time.Sleep(time.Second)
			v.exact(false)
		}
		v.finish()
		v.exact(true)
		for i := range streams {
			if err := v.loader.Progress()[i].Err; err != nil {
				t.Fatalf("stream %d: %v", i, err)
			}
		}
		if commits.Load() > 10 {
			t.Errorf("%d commits in about ten seconds of loads", commits.Load())
		}
	})
}
