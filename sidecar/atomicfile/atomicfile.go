// Package atomicfile replaces a file whole or not at all: whoever reads it sees the old or the new content, never a part of either, and so does
// whoever looks after a kill or a power cut. In come a path and its new content; nothing but the standard library is behind it, so that the shim,
// which runs in the connector's container, may use it too.
package atomicfile

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Options of a replacement.
type Options struct {
	Mode fs.FileMode // of the file, whatever mode the old one had
	// Umask lets the umask take bits from Mode, as from the mode of any file that a program makes. Without it the file has Mode exactly.
	Umask bool
	// Modified is the file's time of modification; zero is now.
	Modified time.Time
	// Unsynced leaves out what a power cut asks for: for a file that is read only while this system runs.
	Unsynced bool
}

// Replace gives path new content and exactly this mode. The folder must exist. A nil error means that the new file survives a power cut; after an
// error the old one is there, or, when only the folder could not be brought to the disk, the new one. Errors are *fs.PathError of path.
func Replace(path string, content []byte, mode fs.FileMode) error {
	return Write(path, bytes.NewReader(content), Options{Mode: mode})
}

// Write is Replace for content that is read from somewhere, and with options. An error of content is in the error's chain. The file is closed when
// it gets its name, so that a program that is placed in this way can be started at once.
func Write(path string, content io.Reader, options Options) error {
	temp := tempName(path)
	err := writeTemp(temp, content, options)
	if err == nil {
		err = os.Rename(temp, path)
	}
	if err != nil {
		return failure(path, errors.Join(cause(err), removeIfThere(temp)))
	}
	if options.Unsynced {
		return nil
	}
	if err := syncFolder(filepath.Dir(path)); err != nil {
		return failure(path, err)
	}
	return nil
}

// writeTemp writes the file under the name that it has first.
func writeTemp(temp string, content io.Reader, options Options) (err error) {
	mode := fs.FileMode(0o600) // it may hold secrets, and becomes what it is to be when it is whole
	if options.Umask {
		mode = options.Mode
	}
	file, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := file.Close(); err == nil {
			err = closeErr
		}
	}()
	_, err = io.Copy(file, content)
	if err == nil && !options.Umask {
		err = file.Chmod(options.Mode)
	}
	if err == nil && !options.Modified.IsZero() {
		err = os.Chtimes(temp, options.Modified, options.Modified)
	}
	if err == nil && !options.Unsynced {
		err = file.Sync()
	}
	return err
}

// syncFolder brings the names in a folder to the disk: without it a power cut may undo a rename.
func syncFolder(folder string) error {
	file, err := os.Open(folder)
	if errors.Is(err, fs.ErrPermission) {
		return nil // whoever may write into a folder, but not read it, cannot do more
	}
	if err != nil {
		return err
	}
	err = file.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) {
		err = nil // a file system that has no such thing for folders
	}
	return errors.Join(err, file.Close())
}

// tempSuffix ends the names of temporary files, which begin with a dot.
const tempSuffix = ".tmp"

// randomLength is how many characters tell temporary files of one path apart.
const randomLength = 10

// tempName is where the new content of path is written first: beside it, since a rename does not leave its file system.
func tempName(path string) string {
	folder, name := filepath.Split(path)
	return folder + "." + name + "." + rand.Text()[:randomLength] + tempSuffix
}

// Replaces is the name of the file that a temporary file of this package was to replace; false for any other name. A kill leaves such files behind;
// a young one may belong to a process that is alive.
func Replaces(temp string) (name string, found bool) {
	rest, hidden := strings.CutPrefix(temp, ".")
	rest, ended := strings.CutSuffix(rest, tempSuffix)
	dot := len(rest) - randomLength - 1
	if !hidden || !ended || dot <= 0 || rest[dot] != '.' || strings.Trim(rest[dot+1:], "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") != "" {
		return "", false
	}
	return rest[:dot], true
}

// failure names the file that is to be replaced.
func failure(path string, err error) error {
	return &fs.PathError{Op: "replace", Path: path, Err: err}
}

// cause is an error without the name of a temporary file, which tells nobody anything.
func cause(err error) error {
	var path *fs.PathError
	var link *os.LinkError
	switch {
	case errors.As(err, &link):
		return link.Err
	case errors.As(err, &path) && isTemp(path.Path):
		return path.Err
	}
	return err
}

// isTemp says whether a path is one of tempName.
func isTemp(path string) bool {
	_, found := Replaces(filepath.Base(path))
	return found
}

// removeIfThere removes a file; one that is not there is fine.
func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
