package session

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/logs"
	"sync-sidecar/sidecar/spool"
)

// stalled is what nobody serves: it blocks until the test ends.
type stalled struct {
	hit      chan struct{} // is closed with the first call
	once     *sync.Once
	released <-chan struct{}
}

func newStalled(t *testing.T) stalled {
	t.Helper()
	released := make(chan struct{})
	t.Cleanup(func() { close(released) })
	return stalled{hit: make(chan struct{}), once: &sync.Once{}, released: released}
}

var errReleased = errors.New("the test is over")

func (s stalled) hang() error {
	s.once.Do(func() { close(s.hit) })
	<-s.released
	return errReleased
}

// Write is a stderr that nobody reads.
func (s stalled) Write([]byte) (int, error) { return 0, s.hang() }

// ReadAt, WriteAt, Punch and Close are a disk that hangs.
func (s stalled) ReadAt([]byte, int64) (int, error)  { return 0, s.hang() }
func (s stalled) WriteAt([]byte, int64) (int, error) { return 0, s.hang() }
func (s stalled) Punch(int64, int64) error           { return s.hang() }
func (s stalled) Close() error                       { return nil }

// Load is a server that stops answering, and does not even notice that it is given up.
func (s stalled) Load(context.Context, sidecar.Load) error { return s.hang() }

// Capabilities, Place and String implement sidecar.Destination.
func (s stalled) Capabilities() sidecar.Capabilities { return sidecar.Capabilities{} }
func (s stalled) Place(tables []sidecar.Table) ([]sidecar.Placement, error) {
	return make([]sidecar.Placement, len(tables)), nil
}
func (s stalled) String() string { return "a server that hangs" }

// TestStallsDoNotOutlastTheGrace sends SIGTERM, or lets a deadline pass, while something stalls: the verdict is recorded in time all the same (I2,
// I4).
func TestStallsDoNotOutlastTheGrace(t *testing.T) {
	t.Parallel()
	const grace = 2 * time.Second
	for name, stall := range map[string]func(r *rig, s stalled){
		"stderr": func(r *rig, s stalled) {
			console := logs.NewConsole(s)
			t.Cleanup(func() { console.Close(0) })
			r.logs = logs.New(logs.Options{Console: console, Format: zerolog.New(console), Mask: strings.Clone})
		},
		"the spool's disk": func(r *rig, s stalled) {
			r.config.Load.Spool.Memory = 0
			r.config.Load.Spool.OpenFile = func(string) (spool.File, error) { return s, nil }
		},
		"the folder of the spool": func(r *rig, s stalled) {
			r.config.Load.Spool.Memory = 0
			r.config.Load.Spool.OpenFile = func(string) (spool.File, error) { return nil, s.hang() }
		},
		"the destination": func(r *rig, s stalled) { r.destination = s },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, "users")
			r.config.Deadlines.Shutdown = grace
			hangs := newStalled(t)
			stall(r, hangs)
			r.start()
			flooded := r.flood()
			<-hangs.hit
			r.terminate()
			began := time.Now()
			report := r.end()
			if took := time.Since(began); took > grace {
				t.Errorf("it took %v", took)
			}
			if report.Status != sidecar.StatusCancelled || r.journal.Task().Status != sidecar.StatusCancelled {
				t.Errorf("%s: %s; recorded %+v", report.Status, report.Cause, r.journal.Tasks())
			}
			if err := errors.Join(r.stdout.Close(), r.stderr.Close()); err != nil {
				t.Error(err)
			}
			<-flooded
		})
	}
}

// flood writes rows and log lines until the session lets go of the pipe.
func (r *rig) flood() (done <-chan struct{}) {
	flooded := make(chan struct{})
	long := strings.Repeat("x", 4096)
	line := `{"type":"RECORD","record":{"stream":"users","data":{"text":"` + long + `"},"emitted_at":1}}` + "\n" +
		`{"type":"LOG","log":{"level":"INFO","message":"` + long + `"}}` + "\n"
	go func() {
		defer close(flooded)
		for range 2000 {
			if _, err := r.stdout.WriteString(line); err != nil {
				return
			}
		}
	}()
	return flooded
}

// TestDeadlinePassesBesideAHangingDisk: the task's own deadline strikes although the reader hangs in a write.
func TestDeadlinePassesBesideAHangingDisk(t *testing.T) {
	t.Parallel()
	r := newRig(t, "users")
	disk, told := newStalled(t), make(chan struct{})
	r.logs = logs.New(logs.Options{Format: zerolog.Nop(), Mask: func(text string) string {
		if strings.Contains(text, "TASK_TIMEOUT_HOURS") && !strings.Contains(text, "it will be stopped") {
			select {
			case told <- struct{}{}:
			default:
			}
		}
		return text
	}})
	r.config.Deadlines.Task, r.config.Load.Spool.Memory, r.config.Deadlines.Shutdown = time.Second, 0, time.Second
	r.config.Load.Spool.OpenFile = func(string) (spool.File, error) { return disk, nil }
	r.start()
	flooded := r.flood()
	<-disk.hit
	<-told
	r.terminate() // else it waits ten minutes for loads to settle
	if report := r.end(); report.Status != sidecar.StatusTimeExceeded || report.ExitCode != sidecar.ExitTimeout {
		t.Errorf("%s, exit code %d: %s", report.Status, report.ExitCode, report.Cause)
	}
	if err := errors.Join(r.stdout.Close(), r.stderr.Close()); err != nil {
		t.Error(err)
	}
	<-flooded
}
