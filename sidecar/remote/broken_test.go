package remote

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
	"sync-sidecar/sidecar/local"
	"sync-sidecar/sidecar/sidecartest"
)

// users is the stream of these tests, of which every row is to be there once.
func users() airbyte.ConfiguredCatalog {
	return airbyte.ConfiguredCatalog{Streams: []airbyte.ConfiguredStream{{
		Stream: airbyte.Stream{Name: "users"}, SyncMode: airbyte.Incremental, DestinationSyncMode: airbyte.Append}}}
}

func usersTable() sidecar.Table {
	return sidecar.Table{Stream: airbyte.StreamDescriptor{Name: "users"}, Name: "users"}
}

// batch are rows of about 1 KB each.
func batch(from, to int) []string {
	var rows []string
	for id := from; id < to; id++ {
		rows = append(rows, fmt.Sprintf(`{"id":%d,"text":%q}`, id, strings.Repeat("x", 1000)))
	}
	return rows
}

// eachOnce checks that the folder holds the rows 0..count-1 in their order, each once.
func eachOnce(t *testing.T, dir string, identity sidecar.Identity, count int) {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(local.Dir(dir, identity), local.RowsFile(usersTable().Stream)))
	must(t, err)
	next := 0
	for line := range strings.Lines(string(content)) {
		var row struct{ ID int }
		must(t, json.Unmarshal([]byte(line), &row))
		if row.ID != next {
			t.Fatalf("row %d stands where row %d belongs", row.ID, next)
		}
		next++
	}
	if next != count {
		t.Fatalf("%d rows, want %d", next, count)
	}
}

// TestBrokenConnections: however often connections break, and wherever, every load and every state is there once.
func TestBrokenConnections(t *testing.T) {
	t.Parallel()
	const loads, rows = 60, 20
	dir, identity := t.TempDir(), sidecar.Identity{SyncID: "sync", TaskID: "task"}
	random := rand.New(rand.NewPCG(1, uint64(time.Now().UnixNano())))
	var cuts atomic.Int64
	r := newRig(t, dir, identity, func(conn net.Conn) net.Conn {
		cuts.Add(1)
		return &budget{Conn: conn, left: 2000 + random.IntN(5*rows*1000)} // the wrap is called by one goroutine
	})
	folder := r.open()
	must(t, folder.Lock(t.Context()))
	_, err := folder.Resume(t.Context(), users(), nil)
	must(t, err)
	var position sidecar.Position
	for n := range loads {
		given := sidecartest.NewRows(batch(n*rows, (n+1)*rows)...)
		if err := folder.Load(t.Context(), sidecar.Load{Table: usersTable(), Rows: given}); err != nil {
			t.Fatalf("load %d: %v", n, err)
		}
		if _, open := given.Readers(); open > 0 {
			t.Fatalf("load %d leaves %d readers open", n, open)
		}
		position.Rows, position.Bytes = position.Rows+given.Count(), position.Bytes+given.Size()
		must(t, folder.SaveStates(t.Context(), []sidecar.SavedState{{Key: "users", Stream: usersTable().Stream,
			State: fmt.Appendf(nil, `{"at":%d}`, n), Covers: map[airbyte.StreamDescriptor]sidecar.Position{usersTable().Stream: position}, Incremental: 1}}))
	}
	must(t, folder.Close(t.Context()))
	eachOnce(t, dir, identity, loads*rows)
	if cuts.Load() < loads/10 {
		t.Errorf("only %d connections: nothing was shown", cuts.Load())
	}
	states, err := local.ReadStates(local.Dir(dir, identity))
	if err != nil || len(states) != 1 || string(states[0].State) != fmt.Sprintf(`{"at":%d}`, loads-1) {
		t.Errorf("%v, %v", states, err)
	}
}

// TestHostIsGone: a Folder whose Host does not come back fails for good, as a sync does that has lost its lock, and nothing waits for ever.
func TestHostIsGone(t *testing.T) {
	t.Parallel()
	r := newRig(t, t.TempDir(), sidecar.Identity{SyncID: "sync"}, nil)
	folder, err := open(t.Context(), r.socket, patience{first: time.Minute, again: 50 * time.Millisecond})
	must(t, err)
	defer folder.line.close()
	_, err = folder.Resume(t.Context(), users(), nil)
	must(t, err)
	must(t, folder.LockError())
	given := sidecartest.LiveRows(batch(0, 10)...)
	ended := make(chan error, 1)
	go func() { ended <- folder.Load(t.Context(), sidecar.Load{Table: usersTable(), Rows: given}) }()
	given.AwaitHunger(t.Context())
	r.stop()
	refusal := sidecar.AsLoadError(<-ended)
	if refusal == nil || !refusal.Permanent || !refusal.Environment || !strings.Contains(refusal.Error(), "the run that has the local folder") {
		t.Errorf("the load says %v", refusal)
	}
	if err := folder.LockError(); !errors.Is(err, sidecar.ErrLocked) {
		t.Errorf("the lock: %v", err)
	}
	if err := folder.SaveStates(t.Context(), nil); !errors.Is(err, sidecar.ErrLocked) {
		t.Errorf("states: %v", err)
	}
	if _, open := given.Readers(); open > 0 {
		t.Error("the rows are still read")
	}
	if err := folder.Close(t.Context()); err == nil {
		t.Error("nobody unlocked the folder, and Close says nothing")
	}
}

// TestNobodyConnects: Open gives up.
func TestNobodyConnects(t *testing.T) {
	t.Parallel()
	socket := filepath.Join(t.TempDir(), "s")
	_, err := open(t.Context(), socket, patience{first: 20 * time.Millisecond})
	if err == nil || !strings.Contains(err.Error(), socket) {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := open(ctx, socket, patience{first: time.Minute}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// TestLoadThatIsGivenUp leaves the table as it was by the time that its caller hears of it.
func TestLoadThatIsGivenUp(t *testing.T) {
	t.Parallel()
	dir, identity := t.TempDir(), sidecar.Identity{SyncID: "sync"}
	folder := newRig(t, dir, identity, nil).open()
	_, err := folder.Resume(t.Context(), users(), nil)
	must(t, err)
	for n := range 20 {
		must(t, folder.Load(t.Context(), sidecar.Load{Table: usersTable(), Rows: sidecartest.NewRows(batch(n, n+1)...)}))
		ctx, cancel := context.WithCancel(t.Context())
		given := sidecartest.LiveRows(batch(1000, 1200)...)
		ended := make(chan error, 1)
		go func() { ended <- folder.Load(ctx, sidecar.Load{Table: usersTable(), Rows: given}) }()
		given.AwaitHunger(t.Context())
		want := context.Canceled
		if n%2 == 0 {
			want = sidecar.ErrLoadAborted
			given.Abort(want)
		} else {
			cancel()
		}
		if err := <-ended; !errors.Is(err, want) {
			t.Fatalf("%v, want %v", err, want)
		}
		cancel()
		eachOnce(t, dir, identity, n+1)
	}
}

// TestChangedConfigIsTheOwnersAlone (I5).
func TestChangedConfigIsTheOwnersAlone(t *testing.T) {
	t.Parallel()
	dir, identity := t.TempDir(), sidecar.Identity{SyncID: "sync"}
	const changed = "{ \"token\" : \"<hunter3>\" }"
	path, err := newRig(t, dir, identity, nil).open().KeepConfig(t.Context(), []byte(changed))
	must(t, err)
	if path != filepath.Join(local.Dir(dir, identity), configFile) {
		t.Error(path)
	}
	content, err := os.ReadFile(path)
	must(t, err)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 || string(content) != changed {
		t.Errorf("%q, %v, %v", content, info.Mode(), err)
	}
}

// TestErrorsArriveAsTheyWere for whoever looks into them.
func TestErrorsArriveAsTheyWere(t *testing.T) {
	t.Parallel()
	for name, err := range map[string]error{
		"locked":        fmt.Errorf("in use by task 7: %w", sidecar.ErrLocked),
		"state refused": fmt.Errorf("state: %w", sidecar.ErrStateRefused),
		"aborted":       fmt.Errorf("rows: %w", sidecar.ErrLoadAborted),
		"too late":      fmt.Errorf("rows: %w", context.DeadlineExceeded),
		"refusal": fmt.Errorf("rows: %w", &sidecar.LoadError{Permanent: true, Environment: true, Unknown: true, Message: "the disk is full",
			Cause: errors.New("no space")}),
	} {
		text, packing := json.Marshal(failureOf(err))
		must(t, packing)
		var packed *failure
		must(t, json.Unmarshal(text, &packed))
		got := packed.err()
		if got.Error() != err.Error() {
			t.Errorf("%s: %q became %q", name, err, got)
		}
		for kind, sentinel := range kinds() {
			if errors.Is(got, sentinel) != errors.Is(err, sentinel) {
				t.Errorf("%s: whether it is %q has changed", name, kind)
			}
		}
		was, is := sidecar.AsLoadError(err), sidecar.AsLoadError(got)
		if (was == nil) != (is == nil) || was != nil && (was.Error() != is.Error() || was.Permanent != is.Permanent ||
			was.Environment != is.Environment || was.Unknown != is.Unknown) {
			t.Errorf("%s: %+v became %+v", name, was, is)
		}
	}
	if failureOf(nil).err() != nil {
		t.Error("no error became one")
	}
}

// TestCallsAreDoneOnce even when they are sent side by side, and forgotten when nobody asks for them any more.
func TestCallsAreDoneOnce(t *testing.T) {
	t.Parallel()
	var l ledger
	mine, earlier := l.begin("client", 1, 1)
	if mine == nil || earlier != nil {
		t.Fatal("the first is not mine")
	}
	if _, earlier = l.begin("client", 1, 1); earlier != mine {
		t.Error("the second is done again")
	}
	mine.text = []byte(`{}`)
	l.end(1, mine)
	if how, err := l.settle(t.Context(), 1); how.Void || err != nil {
		t.Errorf("it was done: %v, %v", how, err)
	}
	if how, err := l.settle(t.Context(), 2); !how.Void || err != nil {
		t.Errorf("it was not done: %v, %v", how, err)
	}
	if again, _ := l.begin("client", 2, 2); again != nil {
		t.Error("what was settled is done later")
	}
	if _, known := l.entries[1]; known {
		t.Error("an answer that nobody asks for is kept")
	}
	if other, _ := l.begin("another", 2, 1); other == nil || len(l.entries) != 1 {
		t.Error("another client gets the answers of this one")
	}
	keys := []int64{}
	for number := range l.entries {
		keys = append(keys, number)
	}
	if !slices.Equal(keys, []int64{2}) {
		t.Error(keys)
	}
}
