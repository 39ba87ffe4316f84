package verdictfile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"sync-sidecar/sidecar"
)

const (
	// poll is how often the file is looked at.
	poll = 100 * time.Millisecond
	// restartPatience is how long a sidecar may be gone: Kubernetes starts a native sidecar again, which then says what happened.
	restartPatience = 20 * time.Second
)

// Reasons why no verdict can be expected.
var (
	ErrGone   = errors.New("the sidecar ended without a verdict: was it killed, or out of memory? See its container's status and log")
	ErrSilent = errors.New("the sidecar gives no verdict (VERDICT_TIMEOUT): see its log")
)

// Waiter is exec, which waits for the verdict.
type Waiter struct {
	path     string
	leftover os.FileInfo   // what was there before, which may be of an earlier run; nil when nothing was
	lock     *os.File      // nil where there are no locks
	patience time.Duration // with a sidecar that is gone

	// What was seen last:
	info  os.FileInfo
	note  Note
	begun bool // the sidecar has said that it runs
}

// Wait begins to wait for the verdict, which may be there already. Close ends it. A Waiter is for one goroutine at a time.
func Wait(path string) *Waiter {
	w := &Waiter{path: path, patience: restartPatience}
	if info, err := os.Stat(path); err == nil && ask(path+sidecarSuffix) != lockHeld { // otherwise it is of a sidecar that lives, and began before us
		w.leftover = info
	}
	if lock, err := hold(path + waiterSuffix); err == nil {
		w.lock = lock
	}
	// Without it the sidecar does not wait until we are done, and we cannot tell that it is dead.
	if w.lock != nil && w.lock.Truncate(0) != nil { // another user's, of an earlier run
		if os.Remove(path+waiterSuffix) == nil {
			_ = w.lock.Close()
			w.lock, _ = hold(path + waiterSuffix) //nolint:errcheck // as above
		}
	}
	return w
}

// started is what the waiter's file holds once the connector has been started.
const started = "started"

// Started says that the connector is started: a sidecar that begins later must not read it (I1).
func (w *Waiter) Started() error {
	if w.lock == nil {
		return nil
	}
	_, err := w.lock.WriteAt([]byte(started), 0)
	return err
}

// Spend makes of the verdict that was waited for a leftover, for an exec that is started in this place again.
func (w *Waiter) Spend() error {
	if !w.note.Final() || !w.note.Prepared() {
		return nil
	}
	return write(w.path, Note{Spent: true, Report: w.note.Report})
}

// Close says that nobody waits any more.
func (w *Waiter) Close() error {
	if w.lock == nil {
		return nil
	}
	return w.lock.Close()
}

// Expected says whether anybody will give a verdict: init has prepared one, or a sidecar has begun. Otherwise, once the pipes have been read, it was
// another program that read them.
func (w *Waiter) Expected() bool {
	_, err := w.look()
	return err != nil || w.begun || w.note.Status != ""
}

// Await returns the verdict as soon as it is there. It gives up with ErrGone when the sidecar has ended without one, with ErrSilent when it gives no
// sign of life for as long as silence (0 is without limit), and with the cause of ctx.
func (w *Waiter) Await(ctx context.Context, silence time.Duration) (Note, error) {
	ticker := time.NewTicker(poll)
	defer ticker.Stop()
	sign, gone := time.Now(), time.Time{}
	for {
		alive, err := w.look()
		now := time.Now()
		if alive {
			sign = now
		}
		if w.note.Final() {
			return w.note, nil
		}
		if !w.begun || w.lock == nil || ask(w.path+sidecarSuffix) != lockFree {
			gone = time.Time{}
		} else if gone.IsZero() {
			gone = now
		}
		switch {
		case !gone.IsZero() && now.Sub(gone) > w.patience:
			return Note{}, errors.Join(ErrGone, err)
		case silence > 0 && now.Sub(sign) > silence:
			return Note{}, errors.Join(fmt.Errorf("%w; waited %v", ErrSilent, silence), err)
		}
		select {
		case <-ctx.Done():
			return Note{}, context.Cause(ctx)
		case <-ticker.C:
		}
	}
}

// look reads the note when it has changed: then the sidecar is alive.
func (w *Waiter) look() (alive bool, err error) {
	info, err := os.Stat(w.path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("verdict file: %w", err)
	}
	if same(w.info, info) {
		return false, nil
	}
	note, found, err := Read(w.path)
	if err != nil || !found {
		return false, err
	}
	w.info = info
	if !note.Prepared() && same(w.leftover, info) {
		return false, nil // an earlier run's
	}
	w.note = note
	w.begun = w.begun || note.Status == sidecar.StatusRunning
	return true, nil
}

// same says that a file was not replaced and not touched. Its number alone does not tell: that of a file that was replaced is used again.
func same(a, b os.FileInfo) bool {
	return a != nil && b != nil && os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}
