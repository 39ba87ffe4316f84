package verdictfile

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sync-sidecar/sidecar"
)

// deadline bounds every test.
const deadline = 30 * time.Second

func newFile(t *testing.T) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "verdict.json")
}

func take(t *testing.T, path string) (*Writer, Note) {
	t.Helper()
	writer, earlier, err := Take(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = writer.Close() })
	return writer, earlier
}

// await waits in the background; the channels give what comes of it.
func await(t *testing.T, path string, silence time.Duration) (<-chan Note, <-chan error) {
	t.Helper()
	waiter := Wait(path)
	waiter.patience = time.Second
	notes, errs := make(chan Note, 1), make(chan error, 1)
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	done := make(chan struct{})
	go func() {
		defer close(done)
		note, err := waiter.Await(ctx, silence)
		if err != nil {
			errs <- err
			return
		}
		notes <- note
	}()
	t.Cleanup(func() {
		cancel()
		<-done
		if err := waiter.Close(); err != nil {
			t.Error(err)
		}
	})
	return notes, errs
}

func want(t *testing.T, notes <-chan Note, errs <-chan error, status sidecar.Status, code int) {
	t.Helper()
	select {
	case note := <-notes:
		if note.Status != status || note.ExitCode != code {
			t.Errorf("verdict %+v, want %s and %d", note, status, code)
		}
	case err := <-errs:
		t.Error(err)
	}
}

func failed() sidecar.Report {
	return sidecar.Report{Command: sidecar.CommandRead, Status: sidecar.StatusFailed, ExitCode: 1, Cause: "no access",
		Result: json.RawMessage(`{"large":1}`)}
}

// The whole life of the file: init, a sidecar that runs, its verdict; exec sees the verdict alone.
func TestVerdictReachesTheWaiter(t *testing.T) {
	t.Parallel()
	for name, prepared := range map[string]bool{"init made it": true, "nobody did": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := newFile(t)
			if prepared {
				if err := Prepare(path); err != nil {
					t.Fatal(err)
				}
			}
			notes, errs := await(t, path, 0)
			writer, earlier := take(t, path)
			if earlier.Final() || earlier.Prepared() != prepared {
				t.Errorf("found %+v", earlier)
			}
			if err := writer.Begin(sidecar.CommandRead); err != nil {
				t.Fatal(err)
			}
			if note, _, err := Read(path); err != nil || note.Status != sidecar.StatusRunning || note.Final() || note.Prepared() != prepared {
				t.Errorf("while it runs: %+v, %v", note, err)
			}
			if !Awaited(path) {
				t.Error("nobody seems to wait")
			}
			if err := writer.Conclude(failed()); err != nil {
				t.Fatal(err)
			}
			want(t, notes, errs, sidecar.StatusFailed, 1)
			text, err := os.ReadFile(path)
			if err != nil || strings.Contains(string(text), "large") || !strings.Contains(string(text), `"cause":"no access"`) {
				t.Errorf("the file says %s (%v)", text, err)
			}
		})
	}
}

// A sidecar that fails before exec begins to wait has left its verdict; what an earlier run left is none.
func TestVerdictThatIsThereBefore(t *testing.T) {
	t.Parallel()
	path := newFile(t)
	if err := Prepare(path); err != nil {
		t.Fatal(err)
	}
	writer, _ := take(t, path)
	if err := writer.Conclude(failed()); err != nil {
		t.Fatal(err)
	}
	notes, errs := await(t, path, 0)
	want(t, notes, errs, sidecar.StatusFailed, 1)

	old := newFile(t)
	writer, _ = take(t, old)
	if err := writer.Conclude(failed()); err != nil {
		t.Fatal(err)
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	notes, errs = await(t, old, 0)
	writer, earlier := take(t, old)
	if !earlier.Final() || earlier.Prepared() {
		t.Errorf("found %+v", earlier)
	}
	if err := writer.Conclude(sidecar.Report{Status: sidecar.StatusSuccess}); err != nil {
		t.Fatal(err)
	}
	want(t, notes, errs, sidecar.StatusSuccess, 0)
}

// Whoever reads the pipes and is no sidecar says nothing here; what an earlier run left says nothing either.
func TestVerdictIsExpected(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		before, after func(w *Writer) error
		prepared      bool
		want          bool
	}{
		"another program":          {nil, nil, false, false},
		"init was here":            {nil, nil, true, true},
		"the sidecar has begun":    {nil, func(w *Writer) error { return w.Begin(sidecar.CommandRead) }, false, true},
		"the sidecar has ended":    {nil, func(w *Writer) error { return w.Conclude(failed()) }, false, true},
		"an earlier run's verdict": {func(w *Writer) error { return errors.Join(w.Conclude(failed()), w.Close()) }, nil, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := newFile(t)
			if test.prepared {
				if err := Prepare(path); err != nil {
					t.Fatal(err)
				}
			}
			writer, _ := take(t, path)
			if test.before != nil {
				if err := test.before(writer); err != nil {
					t.Fatal(err)
				}
			}
			waiter := Wait(path)
			defer waiter.Close()
			if test.after != nil {
				if err := test.after(writer); err != nil {
					t.Fatal(err)
				}
			}
			if got := waiter.Expected(); got != test.want {
				t.Errorf("%t", got)
			}
		})
	}
}

// Two sidecars on one volume: the second one leaves the first one's file alone, and takes it over once that is dead.
func TestOneSidecarWrites(t *testing.T) {
	t.Parallel()
	path := newFile(t)
	if err := Prepare(path); err != nil {
		t.Fatal(err)
	}
	first, _ := take(t, path)
	if err := first.Begin(sidecar.CommandRead); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Take(path); !errors.Is(err, ErrTaken) {
		t.Errorf("took it twice: %v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if _, earlier := take(t, path); earlier.Status != sidecar.StatusRunning || !earlier.Prepared() {
		t.Errorf("found %+v, want the word of the one that died", earlier)
	}
}

func TestWaiterGivesUp(t *testing.T) {
	t.Parallel()
	t.Run("the sidecar is dead", func(t *testing.T) {
		t.Parallel()
		path := newFile(t)
		writer, _ := take(t, path)
		_, errs := await(t, path, 0)
		if err := errors.Join(writer.Begin(sidecar.CommandRead), writer.Close()); err != nil {
			t.Fatal(err)
		}
		if err := <-errs; !errors.Is(err, ErrGone) {
			t.Error(err)
		}
	})
	t.Run("no sidecar at all", func(t *testing.T) {
		t.Parallel()
		_, errs := await(t, newFile(t), time.Second)
		if err := <-errs; !errors.Is(err, ErrSilent) || !strings.Contains(err.Error(), "VERDICT_TIMEOUT") {
			t.Error(err)
		}
	})
	t.Run("a sidecar that hangs, though it lives", func(t *testing.T) {
		t.Parallel()
		path := newFile(t)
		writer, _ := take(t, path)
		if err := writer.Begin(sidecar.CommandRead); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		_, errs := await(t, path, 2*time.Second)
		ticker := time.NewTicker(500 * time.Millisecond)
		defer ticker.Stop()
		for range 6 {
			<-ticker.C
			if err := writer.Alive(); err != nil {
				t.Fatal(err)
			}
		}
		if err := <-errs; !errors.Is(err, ErrSilent) {
			t.Error(err)
		}
		if waited := time.Since(began); waited < 4*time.Second {
			t.Errorf("gave up after %v, with signs of life for 3 s", waited)
		}
	})
}
