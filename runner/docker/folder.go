package docker

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/system"
	"github.com/docker/docker/client"

	"sync-sidecar/runner"
	"sync-sidecar/runner/incoming"
	"sync-sidecar/sidecar"
)

// folder is the caller's folder of a sync. An Engine that sees it gets it mounted, and the sidecar works in it as a local one would. Else the folder
// is shared: the sidecar asks this process to do what it would do itself, through the Engine (see reach), so that rows are in the folder as soon as
// they are acknowledged. What smoke has recorded comes back at the end, file by file.
type folder struct {
	dir     string // of this sync
	inside  string // the folder's name below LOCAL_DIR
	task    runner.Task
	mounted *probe           // nil where it is not mounted
	shared  *incoming.Shared // nil where it is mounted, and for smoke
}

// openFolder makes the folder, and asks whether the Engine sees it.
func openFolder(ctx context.Context, task runner.Task, engine system.Info) (*folder, error) {
	f := &folder{dir: task.Folder(), inside: task.SyncID, task: task}
	if err := os.MkdirAll(f.dir, 0o755); err != nil {
		return nil, fmt.Errorf("make --local-dir: %w", err)
	}
	if f.reads() { // which another run may be doing: it is said before anything is made
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
	return f, f.share(ctx)
}

// reads says whether rows or states are kept in the folder.
func (f *folder) reads() bool {
	return f.task.Command == sidecar.CommandRead && (!f.task.RowsAtServer || !f.task.JournalAtServer)
}

// share makes it a folder that is not mounted, and claims it for a read.
func (f *folder) share(ctx context.Context) (err error) {
	if f.mounted != nil {
		err = f.mounted.remove()
		f.mounted = nil
	}
	if err != nil || f.task.SidecarArgs != nil {
		return err
	}
	f.shared, err = incoming.ShareFolder(ctx, f.task.LocalDir, f.task.Identity(), runner.ConfigUpdateFile, f.reads())
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
	if f.shared != nil {
		err = errors.Join(err, f.shared.Close(ctx))
	}
	return err
}

// upload adds what init needs of a folder that is not mounted to the archive, below localDir: the saved states.
func (f *folder) upload(files *archive, localDir string) {
	files.dir(localDir, 0o700, f.user())
	if f.shared != nil && f.task.LoadState {
		files.tree(path.Join(localDir, f.inside), f.dir, incoming.OfStates)
	}
}

// download brings what smoke has recorded.
func (f *folder) download(ctx context.Context, engine *client.Client, container, localDir string) (err error) {
	if f.mounted != nil || f.shared != nil {
		return nil
	}
	stream, _, err := engine.CopyFromContainer(ctx, container, path.Join(localDir, f.inside))
	if err != nil {
		return fmt.Errorf("bring the results back: %w", err)
	}
	if err := errors.Join(f.receive(stream), stream.Close()); err != nil {
		return fmt.Errorf("bring the results back into %s: %w", f.dir, err)
	}
	return nil
}

// receive writes each file of the stream into the folder.
func (f *folder) receive(stream io.Reader) error {
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
		if err := incoming.Replace(f.dir, incoming.File{Name: name, Mode: 0o644, Modified: header.ModTime, Content: reader}); err != nil {
			return err
		}
	}
}
