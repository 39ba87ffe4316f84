package kubernetes

import (
	"context"
	"fmt"
	"os"
	"slices"

	"sync-sidecar/runner"
	"sync-sidecar/runner/incoming"
	"sync-sidecar/sidecar"
)

// folder is the caller's folder of a sync, which no node sees. The sidecar asks this process to do in it what it would do itself, through the API
// (see reach), so that rows are in the folder as soon as they are acknowledged, and what is there already stays where it is.
type folder struct {
	dir    string // of this sync
	task   runner.Task
	shared *incoming.Shared
}

// openFolder makes the folder, and claims it for a read that keeps anything in it.
func openFolder(ctx context.Context, task runner.Task) (*folder, error) {
	f := &folder{dir: task.Folder(), task: task}
	if err := os.MkdirAll(f.dir, 0o755); err != nil {
		return nil, fmt.Errorf("make --local-dir: %w", err)
	}
	reads := task.Command == sidecar.CommandRead && (!task.RowsAtServer || !task.JournalAtServer)
	var err error
	f.shared, err = incoming.ShareFolder(ctx, task.LocalDir, task.Identity(), runner.ConfigUpdateFile, reads)
	return f, err
}

// close lets the folder go.
func (f *folder) close(ctx context.Context) error { return f.shared.Close(ctx) }

// sendsStates says whether there are saved states for init to look at.
func (f *folder) sendsStates() bool {
	entries, err := os.ReadDir(f.dir)
	if err != nil {
		return true // upload will say what is wrong
	}
	return f.task.LoadState && slices.ContainsFunc(entries, func(entry os.DirEntry) bool { return incoming.OfStates(entry.Name()) })
}
