// Package verdictfile is the verdict on the shared volume: the sidecar leaves it there, and exec, which waits for it, ends the connector's container
// as the sync ended. So the phase of a Pod tells what became of the sync, with a sidecar of either kind.
//
// The file is a Note, replaced by rename: PENDING by init when it also places the binary for exec, RUNNING by the sidecar when it begins, then the
// verdict. Beside it are two files that are locked (flock) while their process lives: <file>.lock by the sidecar, <file>.wait by an exec that waits,
// which also says in it that the connector has started. So nobody waits for the dead, and nobody reads on where another left off.
package verdictfile

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/atomicfile"
)

// Note is what the verdict file says, as JSON: the report of the sidecar without the connector's answer (Report.Result), which may be large. Whoever
// may read the shared volume may read it: its texts are masked (I5).
type Note struct {
	// PreparedAt is when init made the file, for a pod whose connector runs under exec: a note with it is of this very pod, where exec comes or is
	// there. One without may have been left by an earlier run.
	PreparedAt time.Time `json:"prepared_at,omitzero"`
	// Spent says that exec has ended by this verdict: to one that is started in this place again it is an earlier run's.
	Spent bool `json:"spent,omitempty"`
	sidecar.Report
}

// Final says that the note is a verdict.
func (n Note) Final() bool {
	return n.Status != "" && n.Status != sidecar.StatusPending && n.Status != sidecar.StatusRunning
}

// Prepared says that init made the file for a pod with exec.
func (n Note) Prepared() bool { return !n.PreparedAt.IsZero() }

// Prepare replaces what an earlier run left by PENDING: exec will come.
func Prepare(path string) error {
	return write(path, Note{PreparedAt: time.Now().UTC(), Report: sidecar.Report{Status: sidecar.StatusPending}})
}

// Remove removes what an earlier run left, if anything. A PENDING that was prepared is of this run: init may have several steps.
func Remove(path string) error {
	if note, _, err := Read(path); err == nil && note.Prepared() && note.Status == sidecar.StatusPending {
		return nil
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove the verdict of an earlier run: %w", err)
	}
	return nil
}

// maxBytes bounds what is read: each of 10,000 streams takes a few hundred bytes.
const maxBytes = 64 << 20

// Read reads the note; there may be none.
func Read(path string) (note Note, found bool, err error) {
	file, err := open(path)
	if file == nil || err != nil {
		return Note{}, false, err
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, maxBytes))
	if err == nil {
		err = json.Unmarshal(content, &note)
	}
	if err != nil {
		return Note{}, false, fmt.Errorf("verdict file %s: %w", path, err)
	}
	return note, true, nil
}

// open opens the file for reading; nil when there is none. What is no file is an error: a pipe would block.
func open(path string) (*os.File, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("not a regular file")
	}
	if err != nil {
		return nil, fmt.Errorf("verdict file %s: %w", path, err)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read the verdict file: %w", err)
	}
	return file, nil
}

// write replaces the note. It is not brought to the disk: who reads it shares a running kernel with us. exec may be another user.
func write(path string, note Note) error {
	note.Result = nil
	content, err := json.Marshal(note)
	if err != nil {
		return fmt.Errorf("encode the verdict: %w", err)
	}
	err = atomicfile.Write(path, strings.NewReader(string(content)+"\n"), atomicfile.Options{Mode: 0o644, Unsynced: true})
	if err != nil {
		return fmt.Errorf("write the verdict file: %w", err)
	}
	return nil
}
