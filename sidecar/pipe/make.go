// Package pipe makes and opens the named pipes (FIFOs) between a connector and the sidecar, and keeps the exit status file beside them.
//
// The contract on the shared volume: init makes both pipes; the connector's side opens them for writing and the sidecar for reading, in any
// order; a shim writes the exit status file before it closes its ends, so that at EOF on both pipes the file says how the connector ended, or,
// when it still says "running", that the shim was killed before it could say anything. No file at all means that there is no shim.
package pipe

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// Modes of what init makes: containers of a pod run as different users, and each must open the pipes and create the exit status file.
const (
	fifoMode   fs.FileMode = 0o666
	folderMode fs.FileMode = 0o777
)

// ErrNotPipe is wrapped by the error about a path that holds something else than a named pipe.
var ErrNotPipe = errors.New("not a named pipe")

// Make makes the named pipe with mode 0666 whatever the umask, and the folders above it that are missing with mode 0777. A pipe that is
// there already is kept, and its mode set when it is ours; anything else at the path is an error that says what it is.
//
// A folder that is there already is opened to all users when it is ours and holds nothing but pipes: it is then made for them, as the root of a
// fresh Docker volume, which belongs to root with mode 0755 and in which the connector's user could not record an exit status.
func Make(path string) error {
	if err := makeFolders(filepath.Dir(path)); err != nil {
		return fmt.Errorf("make the folder of pipe %s: %w", path, err)
	}
	err := unix.Mkfifo(path, uint32(fifoMode))
	if err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("make pipe %s: %w", path, err)
	}
	if err := check(path); err != nil {
		return err
	}
	// The umask has taken bits from the mode that mkfifo was given.
	if err := openToAll(path, fifoMode); err != nil {
		return fmt.Errorf("make pipe %s usable by other users: %w", path, err)
	}
	if err := shareFolder(filepath.Dir(path)); err != nil {
		return fmt.Errorf("make the folder of pipe %s usable by other users: %w", path, err)
	}
	return nil
}

// shareFolder opens a folder of pipes to all users, if that is for us to do.
func shareFolder(folder string) error {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if entry.Type() != fs.ModeNamedPipe && entry.Name() != "lost+found" { // ext4 has one at the root of each volume
			return nil
		}
	}
	info, err := os.Stat(folder)
	if err != nil || info.Mode().Perm() == folderMode {
		return err
	}
	if owner, ok := info.Sys().(*syscall.Stat_t); !ok || int64(owner.Uid) != int64(os.Geteuid()) {
		return nil
	}
	return os.Chmod(folder, folderMode)
}

// makeFolders is os.MkdirAll with a mode that no umask touches. Folders that exist stay as they are.
func makeFolders(folder string) error {
	info, err := os.Stat(folder)
	if err == nil {
		if !info.IsDir() {
			return fmt.Errorf("%s is a %s, not a folder", folder, kind(info.Mode()))
		}
		return nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := makeFolders(filepath.Dir(folder)); err != nil {
		return err
	}
	if err := os.Mkdir(folder, folderMode); err != nil {
		if errors.Is(err, fs.ErrExist) { // another init was faster
			return nil
		}
		return err
	}
	return os.Chmod(folder, folderMode)
}

// openToAll sets the mode; of a pipe that belongs to somebody else it is enough when it has the bits already.
func openToAll(path string, mode fs.FileMode) error {
	err := os.Chmod(path, mode)
	if err == nil || !errors.Is(err, fs.ErrPermission) {
		return err
	}
	info, statErr := os.Stat(path)
	if statErr != nil {
		return statErr
	}
	if info.Mode().Perm()&mode == mode {
		return nil
	}
	return fmt.Errorf("it belongs to another user and has mode %#o: remove it: %w", info.Mode().Perm(), err)
}

// check says what is wrong with a path that should be a named pipe.
func check(path string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("no pipe at %s: %w: run `sync-sidecar init` first, on the same volume and with the same path", path, fs.ErrNotExist)
	case err != nil:
		return fmt.Errorf("look at pipe: %w", err)
	case info.Mode().Type() != fs.ModeNamedPipe:
		return fmt.Errorf("%s is a %s: %w; remove it or choose another path", path, kind(info.Mode()), ErrNotPipe)
	}
	return nil
}

// kind is what a person calls a file of this mode.
func kind(mode fs.FileMode) string {
	switch mode.Type() {
	case 0:
		return "regular file"
	case fs.ModeDir:
		return "folder"
	case fs.ModeNamedPipe:
		return "named pipe"
	case fs.ModeSymlink:
		return "symbolic link"
	case fs.ModeSocket:
		return "socket"
	default:
		return "device"
	}
}
