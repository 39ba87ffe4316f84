package local

import (
	"context"
	"errors"
	"maps"

	"sync-sidecar/sidecar"
)

// Mirror is journal for a sync whose rows are in this folder: everything goes to journal, and the folder learns how far each state commits its files.
// A state is recorded here first; journal may fail to take it, or take it and not say so. Whichever it then gives to the next source, Resume finds
// where the files stood at it. Close closes both.
func (f *Folder) Mirror(journal sidecar.Journal) sidecar.Journal { return NewMirror(f, journal) }

// Noter is a folder that notes where its files stand at the states of another journal: a Folder, here or on another machine.
type Noter interface {
	Lock(ctx context.Context) error
	// NoteStates records how far states commit the files which another journal is about to take.
	NoteStates(ctx context.Context, states []sidecar.SavedState) error
	// ConfirmStates notes that the other journal took them.
	ConfirmStates(ctx context.Context, states []sidecar.SavedState) error
	// FinishTask finishes the streams that a task says are a success, once it has ended (see Folder.Finish).
	FinishTask(ctx context.Context, task sidecar.TaskRecord) error
	Close(ctx context.Context) error
}

var _ Noter = (*Folder)(nil)

// NewMirror is Folder.Mirror, for a folder that may be on another machine.
func NewMirror(folder Noter, journal sidecar.Journal) sidecar.Journal {
	return &mirrorJournal{Journal: journal, folder: folder}
}

// mirrorJournal is what Mirror returns.
type mirrorJournal struct {
	sidecar.Journal
	folder Noter
}

// Lock locks both.
func (b *mirrorJournal) Lock(ctx context.Context) error {
	if err := b.folder.Lock(ctx); err != nil {
		return err
	}
	return b.Journal.Lock(ctx)
}

// Interrupted implements sidecar.InterruptionFinder: the task is the journal's.
func (b *mirrorJournal) Interrupted(ctx context.Context) ([]string, error) {
	if finder, ok := b.Journal.(sidecar.InterruptionFinder); ok {
		return finder.Interrupted(ctx)
	}
	return nil, nil
}

// LockError implements sidecar.LockKeeper: the folder's own lock is the kernel's and cannot be lost, the journal's may be.
func (b *mirrorJournal) LockError() error {
	if keeper, ok := b.Journal.(sidecar.LockKeeper); ok {
		return keeper.LockError()
	}
	return nil
}

// SaveStates records the states in the folder, gives them to the journal, and notes that it took them.
func (b *mirrorJournal) SaveStates(ctx context.Context, states []sidecar.SavedState) error {
	if err := b.folder.NoteStates(ctx, states); err != nil {
		return err
	}
	if err := b.Journal.SaveStates(ctx, states); err != nil {
		return err
	}
	return b.folder.ConfirmStates(ctx, states)
}

// SaveTask records the status, and finishes the streams that it says are a success.
func (b *mirrorJournal) SaveTask(ctx context.Context, task sidecar.TaskRecord) error {
	return errors.Join(b.Journal.SaveTask(ctx, task), b.folder.FinishTask(ctx, task))
}

// Close closes both.
func (b *mirrorJournal) Close(ctx context.Context) error {
	return errors.Join(b.Journal.Close(ctx), b.folder.Close(ctx))
}

// NoteStates implements Noter.
func (f *Folder) NoteStates(_ context.Context, states []sidecar.SavedState) error {
	return f.saveStates(states, false)
}

// ConfirmStates implements Noter, in memory. The next change of a file's record writes it; what is on disk is good until then.
func (f *Folder) ConfirmStates(_ context.Context, states []sidecar.SavedState) error {
	f.records.Lock()
	defer f.records.Unlock()
	e := newEdit(&f.record)
	for _, state := range states {
		err := f.eachCovered(e, state, func(file *rowsFile, known *fileRecord, sum string) error {
			file.confirm(known, state.Key, sum)
			return nil
		})
		if err != nil {
			return err
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	maps.Copy(f.record.Files, e.Files)
	return nil
}
