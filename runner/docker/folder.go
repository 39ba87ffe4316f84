package docker

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/client"

	"sync-sidecar/runner"
	"sync-sidecar/runner/incoming"
	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/local"
)

// folder is the caller's folder of a sync. The Engine may be on another machine, so the sidecar works on a copy: it goes in before the run and comes
// back after it, all at once.
type folder struct {
	dir    string // of this sync
	inside string // the folder's name below LOCAL_DIR
	needed bool   // false when servers take everything
}

// openFolder finishes what a crash interrupted and makes the folder.
func openFolder(task runner.Task) (*folder, error) {
	dir := local.Dir(task.LocalDir, sidecar.Identity{SyncID: task.SyncID})
	f := &folder{dir: dir, inside: filepath.Base(dir), needed: task.Settings["BULKER_URL"] == "" || task.Settings["DATABASE_URL"] == ""}
	if !f.needed {
		return f, nil
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return nil, fmt.Errorf("make --local-dir: %w", err)
	}
	if err := incoming.Recover(dir); err != nil {
		return nil, fmt.Errorf("--local-dir: %w", err)
	}
	return f, nil
}

// close lets the folder go.
func (f *folder) close() error { return nil }

// upload adds the folder to the archive, below localDir.
func (f *folder) upload(files *archive, localDir string) {
	files.dir(localDir, 0o700, ownUser)
	if !f.needed {
		return
	}
	if _, err := os.Stat(f.dir); err == nil {
		files.tree(path.Join(localDir, f.inside), f.dir)
	}
}

// download brings the sidecar's copy back: what changed is written beside the folder, and moved in when all of it is there.
func (f *folder) download(ctx context.Context, engine *client.Client, container, localDir string) (err error) {
	if !f.needed {
		return nil
	}
	stream, _, err := engine.CopyFromContainer(ctx, container, path.Join(localDir, f.inside))
	if errdefs.IsNotFound(err) { // the sidecar ended before it wrote anything
		return nil
	}
	if err != nil {
		return fmt.Errorf("bring the results back: %w", err)
	}
	defer func() { err = errors.Join(err, stream.Close()) }()
	batch, err := incoming.Begin(f.dir)
	if err != nil {
		return err
	}
	if err := f.receive(stream, batch); err != nil {
		return errors.Join(fmt.Errorf("bring the results back into %s: %w", f.dir, err), batch.Abort())
	}
	return batch.Commit()
}

// receive adds each file of the stream that is not in the folder already.
func (f *folder) receive(stream io.Reader, batch *incoming.Batch) error {
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
		if !inside || header.Typeflag != tar.TypeReg {
			continue
		}
		if known, err := os.Stat(filepath.Join(f.dir, filepath.FromSlash(name))); err == nil &&
			known.Size() == header.Size && known.ModTime().Equal(header.ModTime) {
			continue
		}
		if err := batch.Add(name, header.ModTime, reader); err != nil {
			return err
		}
	}
}
