package remote

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
	"sync-sidecar/sidecar/local"
)

var (
	_ sidecar.Destination        = (*Folder)(nil)
	_ sidecar.Resumer            = (*Folder)(nil)
	_ sidecar.Mirrorer           = (*Folder)(nil)
	_ sidecar.Finisher           = (*Folder)(nil)
	_ sidecar.Journal            = (*Folder)(nil)
	_ sidecar.InterruptionFinder = (*Folder)(nil)
	_ sidecar.LockKeeper         = (*Folder)(nil)
	_ local.Noter                = (*Folder)(nil)
)

// Folder is a folder that a Host keeps. Its methods may be called from several goroutines, and do what those of local.Folder do.
type Folder struct {
	line *line
	dir  string
}

// Open listens at a Unix socket for connections to the Host, which somebody has to make within a minute. Where nobody does, the error says so.
func Open(ctx context.Context, socket string) (*Folder, error) {
	return open(ctx, socket, patience{first: firstCome, again: comeBack})
}

func open(ctx context.Context, socket string, patience patience) (*Folder, error) {
	if err := os.Remove(socket); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("make way for whoever has the local folder: %w", err)
	}
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("wait for whoever has the local folder: %w", err)
	}
	f := &Folder{line: newLine(ctx, listener, patience)}
	if err := f.line.call(ctx, callHello, nil, &f.dir); err != nil {
		return nil, errors.Join(fmt.Errorf("reach the local folder of the run: %w", err), f.line.close())
	}
	return f, nil
}

// String names the folder in messages.
func (f *Folder) String() string { return "local folder " + f.dir }

// Capabilities implements sidecar.Destination.
func (f *Folder) Capabilities() sidecar.Capabilities { return local.Capabilities() }

// Place implements sidecar.Destination.
func (f *Folder) Place(tables []sidecar.Table) ([]sidecar.Placement, error) {
	return local.Place(tables), nil
}

// Mirror implements sidecar.Mirrorer.
func (f *Folder) Mirror(journal sidecar.Journal) sidecar.Journal { return local.NewMirror(f, journal) }

// Resume implements sidecar.Resumer.
func (f *Folder) Resume(ctx context.Context, catalog airbyte.ConfiguredCatalog, given []sidecar.SavedState) (warnings []string, err error) {
	err = f.line.call(ctx, callResume, packResumption(catalog, given), &warnings)
	return warnings, err
}

// Finish implements sidecar.Finisher.
func (f *Folder) Finish(ctx context.Context, streams []airbyte.StreamDescriptor) error {
	packed := make([]stream, len(streams))
	for i, one := range streams {
		packed[i] = packStream(one)
	}
	return f.line.call(ctx, callFinish, packed, nil)
}

// Lock implements sidecar.Journal.
func (f *Folder) Lock(ctx context.Context) error { return f.line.call(ctx, callLock, nil, nil) }

// LockError implements sidecar.LockKeeper: the lock is that of the Host's process, and ends with it.
func (f *Folder) LockError() error { return f.line.lost() }

// LoadStates implements sidecar.Journal.
func (f *Folder) LoadStates(ctx context.Context) ([]sidecar.SavedState, error) {
	var packed []savedState
	err := f.line.call(ctx, callLoadStates, nil, &packed)
	return unpackStates(packed), err
}

// SaveStates implements sidecar.Journal.
func (f *Folder) SaveStates(ctx context.Context, states []sidecar.SavedState) error {
	return f.line.call(ctx, callSaveStates, packStates(states), nil)
}

// NoteStates implements local.Noter.
func (f *Folder) NoteStates(ctx context.Context, states []sidecar.SavedState) error {
	return f.line.call(ctx, callNote, packStates(states), nil)
}

// ConfirmStates implements local.Noter.
func (f *Folder) ConfirmStates(ctx context.Context, states []sidecar.SavedState) error {
	return f.line.call(ctx, callConfirm, packStates(states), nil)
}

// SaveResult implements sidecar.Journal.
func (f *Folder) SaveResult(ctx context.Context, r sidecar.Result) error {
	return f.line.call(ctx, callSaveResult, result{Command: r.Command, Status: r.Status, Payload: r.Payload, Message: r.Message}, nil)
}

// SaveTask implements sidecar.Journal.
func (f *Folder) SaveTask(ctx context.Context, task sidecar.TaskRecord) error {
	return f.line.call(ctx, callSaveTask, task, nil)
}

// FinishTask implements local.Noter.
func (f *Folder) FinishTask(ctx context.Context, task sidecar.TaskRecord) error {
	return f.line.call(ctx, callFinishTask, task, nil)
}

// AppendLogs implements sidecar.Journal.
func (f *Folder) AppendLogs(ctx context.Context, logs []sidecar.LogRecord) error {
	return f.line.call(ctx, callLogs, packLogs(logs), nil)
}

// Interrupted implements sidecar.InterruptionFinder.
func (f *Folder) Interrupted(ctx context.Context) (tasks []string, err error) {
	err = f.line.call(ctx, callInterrupted, nil, &tasks)
	return tasks, err
}

// LoadSpec returns the connector's spec that was saved last; nil when there is none.
func (f *Folder) LoadSpec(ctx context.Context) (json.RawMessage, error) {
	var spec []byte
	err := f.line.call(ctx, callSpec, nil, &spec)
	return spec, err
}

// KeepConfig keeps a configuration that the connector changed, and returns where.
func (f *Folder) KeepConfig(ctx context.Context, config []byte) (path string, err error) {
	err = f.line.call(ctx, callConfig, config, &path)
	return path, err
}

// Close unlocks the folder and ends the connection, also when ctx has ended: it takes no time. Closing it again is harmless.
func (f *Folder) Close(ctx context.Context) error {
	if errors.Is(f.line.lost(), errClosed) {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTime)
	defer cancel()
	return errors.Join(f.line.call(ctx, callClose, nil, nil), f.line.close())
}
