package docker

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/docker/docker/client"

	"sync-sidecar/runner"
	"sync-sidecar/runner/incoming"
	"sync-sidecar/sidecar"
)

// folder is the caller's folder of a sync. The Engine may be on another machine, so the sidecar works on a copy. A read has the folder to itself:
// all of it goes in before and comes back after, at once. Other commands only bring their results, one by one.
type folder struct {
	dir    string          // of this sync
	inside string          // the folder's name below LOCAL_DIR
	claim  *incoming.Claim // nil unless a read keeps its rows or its state here
}

// lockFile is the caller's own; see package sidecar/local.
const lockFile = "lock"

// openFolder makes the folder, and claims it for a read.
func openFolder(ctx context.Context, task runner.Task) (*folder, error) {
	f := &folder{dir: task.Folder(), inside: task.SyncID}
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

// wanted says whether a file of the folder, by its path in it, goes to the Engine and comes back.
func (f *folder) wanted(name string) bool {
	top, _, _ := strings.Cut(name, "/")
	return top != lockFile && (f.claim != nil || !incoming.OfReads(top))
}

// upload adds what the sidecar needs of the folder to the archive, below localDir. What a connector made of its configuration only comes back.
func (f *folder) upload(files *archive, localDir string) {
	files.dir(localDir, 0o700, ownUser)
	files.tree(path.Join(localDir, f.inside), f.dir, func(name string) bool {
		return f.wanted(name) && !strings.HasPrefix(name, "config.updated.") && !strings.HasPrefix(name, ".")
	})
}

// download brings the sidecar's copy back.
func (f *folder) download(ctx context.Context, engine *client.Client, container, localDir string) (err error) {
	stream, _, err := engine.CopyFromContainer(ctx, container, path.Join(localDir, f.inside))
	if err != nil {
		return fmt.Errorf("bring the results back: %w", err)
	}
	defer func() { err = errors.Join(err, stream.Close()) }()
	if f.claim == nil {
		err = f.receive(stream, func(file incoming.File) error { return incoming.Replace(f.dir, file) })
		return f.explain(err)
	}
	batch, err := incoming.Begin(f.dir)
	if err != nil {
		return err
	}
	if err := f.receive(stream, batch.Add); err != nil {
		return errors.Join(f.explain(err), batch.Abort())
	}
	return batch.Commit()
}

func (f *folder) explain(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("bring the results back into %s: %w", f.dir, err)
}

// receive hands over each file of the stream that is not in the folder already.
func (f *folder) receive(stream io.Reader, keep func(incoming.File) error) error {
	reader := tar.NewReader(stream)
	for {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		name, inside := strings.CutPrefix(header.Name, f.inside+"/")
		if !inside || header.Typeflag != tar.TypeReg || !f.wanted(name) || f.has(name, header) {
			continue
		}
		mode := fs.FileMode(0o644)
		if name == runner.ConfigUpdateFile { // full of secrets (I5)
			mode = 0o600
		}
		if err := keep(incoming.File{Name: name, Mode: mode, Modified: header.ModTime, Content: reader}); err != nil {
			return err
		}
	}
}

// has says whether the folder has this very file: what went in keeps its time, so that what did not change need not be written again.
func (f *folder) has(name string, header *tar.Header) bool {
	known, err := os.Stat(filepath.Join(f.dir, filepath.FromSlash(name)))
	return err == nil && known.Size() == header.Size && known.ModTime().Equal(header.ModTime)
}
