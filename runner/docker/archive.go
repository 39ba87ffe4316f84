package docker

import (
	"archive/tar"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"sync-sidecar/runner"
)

// user is a user and a group by number, as a container knows them.
type user struct{ uid, gid int }

// String is the user as the Engine takes it.
func (u user) String() string { return fmt.Sprintf("%d:%d", u.uid, u.gid) }

// root owns what is open to all.
func root() user { return user{} }

// ownUser is the user of init and the sidecar, as in our own image, unless the caller's folder is mounted.
func ownUser() user { return user{65532, 65532} }

// archive writes a tar stream whose paths are absolute in the container. The first error sticks.
type archive struct {
	tar *tar.Writer
	now time.Time
	err error
}

func newArchive(w io.Writer) *archive { return &archive{tar: tar.NewWriter(w), now: time.Now()} }

// dir adds a folder; mode and owner are set even when it exists already.
func (a *archive) dir(name string, mode fs.FileMode, owner user) {
	a.header(&tar.Header{Typeflag: tar.TypeDir, Name: strings.TrimPrefix(name, "/") + "/", Mode: int64(mode.Perm()), Uid: owner.uid, Gid: owner.gid})
}

// file adds a file that is in memory.
func (a *archive) file(name string, mode fs.FileMode, owner user, content []byte) {
	a.header(&tar.Header{Typeflag: tar.TypeReg, Name: strings.TrimPrefix(name, "/"), Mode: int64(mode.Perm()), Uid: owner.uid, Gid: owner.gid,
		Size: int64(len(content))})
	if a.err == nil {
		_, a.err = a.tar.Write(content)
	}
}

// open adds a file that is on the disk.
func (a *archive) open(name string, mode fs.FileMode, owner user, source string) {
	if a.err != nil {
		return
	}
	a.err = func() error {
		file, err := os.Open(source)
		if err != nil {
			return err
		}
		defer file.Close()
		info, err := file.Stat()
		if err != nil {
			return err
		}
		a.header(&tar.Header{Typeflag: tar.TypeReg, Name: strings.TrimPrefix(name, "/"), Mode: int64(mode.Perm()), Uid: owner.uid, Gid: owner.gid,
			Size: info.Size(), ModTime: info.ModTime()})
		if a.err != nil {
			return a.err
		}
		if _, err := io.CopyN(a.tar, file, info.Size()); err != nil {
			return fmt.Errorf("read %s: %w", source, err)
		}
		return nil
	}()
}

func (a *archive) header(header *tar.Header) {
	if a.err == nil {
		if header.ModTime.IsZero() {
			header.ModTime = a.now
		}
		header.Format = tar.FormatPAX
		a.err = a.tar.WriteHeader(header)
	}
}

func (a *archive) close() error {
	if a.err != nil {
		return a.err
	}
	return a.tar.Close()
}

// plan adds the dirs and files of a plan: the shared ones are root's and open to all, the private ones are the sidecar's user's.
func (a *archive) plan(plan runner.Plan, sidecar user) {
	owner := func(name string) user {
		if name == plan.Layout.Private || strings.HasPrefix(name, plan.Layout.Private+"/") {
			return sidecar
		}
		return root()
	}
	for _, dir := range plan.Dirs {
		a.dir(dir.Path, dir.Mode, owner(dir.Path))
	}
	for _, file := range plan.Files {
		a.file(file.Path, file.Mode, owner(file.Path), file.Content)
	}
}

// tree adds the files and folders below source that are wanted, by their path in it, as they would be below target, for the sidecar's user.
func (a *archive) tree(target, source string, wanted func(name string) bool) {
	if a.err != nil {
		return
	}
	a.err = filepath.WalkDir(source, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(source, name)
		if err != nil {
			return err
		}
		relative = filepath.ToSlash(relative)
		switch inside := path.Join(target, relative); {
		case relative != "." && !wanted(relative):
			if entry.IsDir() {
				return fs.SkipDir
			}
		case entry.IsDir():
			a.dir(inside, 0o700, ownUser())
		case entry.Type().IsRegular():
			a.open(inside, 0o600, ownUser(), name)
		}
		return a.err
	})
}
