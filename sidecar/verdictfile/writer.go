package verdictfile

import (
	"errors"
	"os"
	"time"

	"sync-sidecar/sidecar"
)

// ErrTaken says that another sidecar that lives writes this file.
var ErrTaken = errors.New("another sidecar writes it")

// Writer is the sidecar's hold of the verdict file.
type Writer struct {
	path     string
	lock     *os.File // nil where there are no locks
	prepared time.Time
	spent    bool
}

// Take makes this process the one that writes the file, and returns what the file says: in a prepared note that is the word of an earlier sidecar of
// this pod. The error is ErrTaken when that one lives. A file that cannot be understood counts as none.
func Take(path string) (*Writer, Note, error) {
	lock, err := hold(path + sidecarSuffix)
	if errors.Is(err, errHeld) {
		return nil, Note{}, ErrTaken
	}
	if err != nil {
		lock = nil // the folder is not ours to write, or has no locks: the note itself may do
	}
	note, _, err := Read(path)
	if err != nil {
		note = Note{}
	}
	return &Writer{path: path, lock: lock, prepared: note.PreparedAt, spent: note.Spent}, note, nil
}

// Begin says that the sidecar runs.
func (w *Writer) Begin(command sidecar.Command) error {
	w.spent = false
	report := sidecar.Report{Command: command, Status: sidecar.StatusRunning, StartedAt: time.Now().UTC()}
	return write(w.path, Note{PreparedAt: w.prepared, Report: report})
}

// Alive is a sign of life, for whoever waits.
func (w *Writer) Alive() error {
	now := time.Now()
	return os.Chtimes(w.path, now, now)
}

// Conclude leaves the verdict.
func (w *Writer) Conclude(report sidecar.Report) error {
	return write(w.path, Note{PreparedAt: w.prepared, Spent: w.spent, Report: report})
}

// Close gives the file up.
func (w *Writer) Close() error {
	if w.lock == nil {
		return nil
	}
	return w.lock.Close()
}

// ConnectorStarted says whether an exec that lives and waits for the verdict has started its connector: a sidecar that begins only now has not heard
// what that said until now.
func ConnectorStarted(path string) bool {
	content, err := os.ReadFile(path + waiterSuffix)
	return err == nil && string(content) == started && Awaited(path)
}

// Awaited says whether an exec that lives waits for the verdict.
func Awaited(path string) bool { return ask(path+waiterSuffix) == lockHeld }
