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

	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/system"
	"github.com/docker/docker/client"

	"sync-sidecar/runner"
	"sync-sidecar/runner/incoming"
	"sync-sidecar/sidecar"
)

// folder is the caller's folder of a sync. An Engine that sees it gets it mounted, and the sidecar works in it as a local one would. Else the sidecar
// works on a copy: a read has the folder to itself, and what it needs goes in before and comes back after, at once. Other commands only bring their
// results, one by one.
type folder struct {
	dir     string // of this sync
	inside  string // the folder's name below LOCAL_DIR
	task    runner.Task
	mounted *probe          // nil for a copy
	claim   *incoming.Claim // nil unless a read keeps its rows or its state here, in a copy
	rows    func(name string) bool
	base    string // the digest of the folder's state when it was claimed for a copy
}

// lockFile is the caller's own; see package sidecar/local.
const lockFile = "lock"

// openFolder makes the folder, and asks whether the Engine sees it.
func openFolder(ctx context.Context, task runner.Task, engine system.Info) (*folder, error) {
	f := &folder{dir: task.Folder(), inside: task.SyncID, task: task}
	if err := os.MkdirAll(f.dir, 0o755); err != nil {
		return nil, fmt.Errorf("make --local-dir: %w", err)
	}
	if f.reads() { // finishes what an earlier run brought back; the sidecar will lock the folder for itself
		claim, err := incoming.ClaimFolder(ctx, task.LocalDir, task.SyncID, task.TaskID)
		if err != nil {
			return nil, err
		}
		if err := claim.Release(ctx); err != nil {
			return nil, err
		}
	}
	var err error
	if f.mounted, err = newProbe(f.dir, engine); err != nil || f.mounted != nil {
		return f, err
	}
	return f, f.copied(ctx)
}

// reads says whether rows or states are kept in the folder.
func (f *folder) reads() bool {
	return f.task.Command == sidecar.CommandRead && (!f.task.RowsAtServer || !f.task.JournalAtServer)
}

// copied makes it a folder that the sidecar has a copy of, and claims it for a read.
func (f *folder) copied(ctx context.Context) (err error) {
	if f.mounted != nil {
		err = f.mounted.remove()
		f.mounted = nil
	}
	if err != nil || !f.reads() {
		return err
	}
	if f.rows, err = incoming.RowsOf(f.task.Catalog); err != nil {
		return err
	}
	if f.claim, err = incoming.ClaimFolder(ctx, f.task.LocalDir, f.task.SyncID, f.task.TaskID); err != nil {
		return err
	}
	f.base, err = incoming.StateDigest(f.dir)
	return err
}

// user is whom init and the sidecar run as.
func (f *folder) user() user {
	if f.mounted != nil {
		return f.mounted.user
	}
	return ownUser()
}

// folderMount gives the folder to a container, below localDir. Only it: other syncs are beside it. (A Mount, since a Bind would make a folder that is
// not there, on the Engine's machine.)
func (r *Runner) folderMount(f *folder, localDir string) mount.Mount {
	return mount.Mount{Type: mount.TypeBind, Source: r.seen(f.dir), Target: path.Join(localDir, f.inside)}
}

// close lets the folder go.
func (f *folder) close(ctx context.Context) (err error) {
	if f.mounted != nil {
		err = f.mounted.remove()
	}
	if f.claim != nil {
		err = errors.Join(err, f.claim.Release(ctx))
	}
	return err
}

// wanted says whether a file of the folder, by its path in it, goes to the Engine and comes back.
func (f *folder) wanted(name string) bool {
	top, _, _ := strings.Cut(name, "/")
	return top != lockFile && (f.claim != nil || !incoming.OfReads(top))
}

// upload adds what the sidecar needs of the folder to the archive, below localDir: of the rows, those of the streams that are read. What a connector
// made of its configuration only comes back.
func (f *folder) upload(files *archive, localDir string) {
	files.dir(localDir, 0o700, f.user())
	if f.mounted != nil {
		return
	}
	files.tree(path.Join(localDir, f.inside), f.dir, func(name string) bool {
		return f.wanted(name) && (f.rows == nil || f.rows(name)) && !strings.HasPrefix(name, "config.updated.") && !strings.HasPrefix(name, ".")
	})
}

// download brings the sidecar's copy back.
func (f *folder) download(ctx context.Context, engine *client.Client, container, localDir string) (err error) {
	if f.mounted != nil {
		return nil
	}
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
