package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"sync-sidecar/runner"
	"sync-sidecar/runner/incoming"
	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/parcel"
)

// folder is the caller's folder of a sync, of which the sidecar has a copy. A read has it to itself: all of it goes in before and comes back after,
// at once. Other commands only bring their results, one by one.
type folder struct {
	dir   string
	claim *incoming.Claim // nil unless a read keeps its rows or its state here
}

// lockFile is the caller's own; see package sidecar/local.
const lockFile = "lock"

// openFolder makes the folder, and claims it for a read.
func openFolder(ctx context.Context, task runner.Task) (*folder, error) {
	f := &folder{dir: task.Folder()}
	if err := os.MkdirAll(f.dir, 0o755); err != nil {
		return nil, fmt.Errorf("make --local-dir: %w", err)
	}
	if task.Command != sidecar.CommandRead || task.RowsAtServer && task.JournalAtServer {
		return f, nil
	}
	var err error
	f.claim, err = incoming.ClaimFolder(ctx, task.LocalDir, task.SyncID, task.TaskID)
	return f, err
}

// close lets the folder go.
func (f *folder) close(ctx context.Context) error {
	if f.claim == nil {
		return nil
	}
	return f.claim.Release(ctx)
}

// wanted says whether a file of the folder, by its path in it, comes back.
func (f *folder) wanted(name string) bool {
	top, _, _ := strings.Cut(name, "/")
	return top != lockFile && (f.claim != nil || !incoming.OfReads(top))
}

// sends says whether it goes in, too. What a connector made of its configuration only comes back.
func (f *folder) sends(name string) bool {
	return f.wanted(name) && !strings.HasPrefix(name, "config.updated.") && !strings.HasPrefix(name, ".")
}

// hasFiles says whether anything goes in.
func (f *folder) hasFiles() bool {
	entries, err := os.ReadDir(f.dir)
	if err != nil {
		return true // upload will say what is wrong
	}
	for _, entry := range entries {
		if f.sends(entry.Name()) {
			return true
		}
	}
	return false
}

// receive takes the sidecar's copy.
func (f *folder) receive(stream io.Reader) error {
	if f.claim == nil {
		return f.each(stream, func(file incoming.File) error { return incoming.Replace(f.dir, file) })
	}
	batch, err := incoming.Begin(f.dir)
	if err != nil {
		return err
	}
	if err := f.each(stream, batch.Add); err != nil {
		return errors.Join(err, batch.Abort())
	}
	return batch.Commit()
}

// each hands over each file of the stream that is not in the folder already.
func (f *folder) each(stream io.Reader, keep func(incoming.File) error) error {
	return parcel.Read(stream, func(file parcel.File) error {
		if !f.wanted(file.Name) || f.has(file) {
			return nil
		}
		mode := fs.FileMode(0o644)
		if file.Name == runner.ConfigUpdateFile { // full of secrets (I5)
			mode = 0o600
		}
		return keep(incoming.File{Name: file.Name, Mode: mode, Modified: file.Modified, Content: file.Content})
	})
}

// has says whether the folder has this very file: what went in keeps its time, so that what did not change need not be written again.
func (f *folder) has(file parcel.File) bool {
	known, err := os.Stat(filepath.Join(f.dir, filepath.FromSlash(file.Name)))
	return err == nil && known.Size() == file.Size && known.ModTime().Equal(file.Modified)
}
