package volume

import (
	"cmp"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"sync-sidecar/sidecar/atomicfile"
)

// Modes of the copy: the connector runs as a user that we do not know, and some connectors rewrite their config in place.
const (
	configFileMode   fs.FileMode = 0o666
	configFolderMode fs.FileMode = 0o777
)

// maxConfigDepth ends a walk through symbolic links that lead back to themselves.
const maxConfigDepth = 32

// CopyConfig copies the files of a read-only folder, with its subfolders, into a folder that the connector can write to, which it makes when
// missing. A file named *.gz is unpacked and loses that ending; all of them together may not become larger than unpackLimit bytes, where 0 is no
// limit. Symbolic links are followed, and what is behind them copied, except that names beginning with ".." are left out: there Kubernetes keeps the
// versions of a mounted Secret or ConfigMap (kubelet's atomic writer: `..data` is a link to `..<time>/`, each visible file a link into `..data/`).
// What is neither file nor folder is an error, and is not waited for. Files of the same names are replaced, one by one and whole; nothing else in the
// target is touched, but for what an earlier init left half-written.
func CopyConfig(from, to string, unpackLimit int64) error {
	inside, err := contains(from, to)
	if err != nil {
		return fmt.Errorf("copy config from %s to %s: %w", from, to, err)
	}
	if inside {
		return fmt.Errorf("copy config from %s to %s: the target is in the folder that is copied; choose another", from, to)
	}
	c := &configCopy{limit: unpackLimit}
	if err := makeFolder(to); err != nil {
		return fmt.Errorf("copy config: %w", err)
	}
	if err := c.folder(from, to, maxConfigDepth); err != nil {
		return fmt.Errorf("copy config: %w", err)
	}
	return nil
}

// contains says whether the target is the folder, or somewhere in it.
func contains(folder, target string) (bool, error) {
	folder, err := filepath.Abs(folder)
	if err != nil {
		return false, err
	}
	target, err = filepath.Abs(target)
	if err != nil {
		return false, err
	}
	relative, err := filepath.Rel(folder, target)
	if err != nil {
		return false, err
	}
	return relative == "." || filepath.IsLocal(relative), nil
}

// configCopy is one copy on its way.
type configCopy struct {
	limit    int64 // bytes that *.gz may become; 0 is any number
	unpacked int64 // bytes that they have become
}

// folder copies what is in a folder into another that is there, down to the given depth.
func (c *configCopy) folder(from, to string, depth int) error {
	if depth == 0 {
		return fmt.Errorf("%s is nested deeper than %d folders: is there a symbolic link that leads back to itself?", from, maxConfigDepth)
	}
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	if err := removeLeftovers(to, func(string) bool { return true }); err != nil {
		return err
	}
	sources := make(map[string]string, len(entries))
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), "..") {
			continue
		}
		source := filepath.Join(from, entry.Name())
		info, err := os.Stat(source)
		if err != nil {
			return err
		}
		if info.IsDir() {
			err = c.subfolder(source, filepath.Join(to, entry.Name()), depth-1)
		} else {
			err = c.file(source, to, sources)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// subfolder copies a folder to a path in the target. A connector can write there, and a link that it left must not lead the copy somewhere else.
func (c *configCopy) subfolder(from, to string, depth int) error {
	if info, err := os.Lstat(to); err == nil && info.Mode()&fs.ModeSymlink != 0 {
		return fmt.Errorf("%s is a symbolic link, and a folder is to be copied there: remove it", to)
	}
	if err := makeFolder(to); err != nil {
		return err
	}
	return c.folder(from, to, depth)
}

// makeFolder makes a folder that every user can write to. One that exists is left as it is: it may be a mounted volume, or somebody else's.
func makeFolder(path string) error {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return nil
	}
	if err := os.MkdirAll(path, configFolderMode); err != nil {
		return err
	}
	// The umask has taken bits from the mode.
	return os.Chmod(path, configFolderMode)
}

// file copies one file into a folder; sources knows what was copied there before, by the names of the copies.
func (c *configCopy) file(source, folder string, sources map[string]string) (err error) {
	name, packed := strings.CutSuffix(filepath.Base(source), ".gz")
	if other, taken := sources[name]; taken {
		return fmt.Errorf("%s and %s would both become %s: remove one", other, source, filepath.Join(folder, name))
	}
	sources[name] = source
	file, err := openRegular(source)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if packed {
		return c.unpack(source, file, filepath.Join(folder, name))
	}
	if err := write(filepath.Join(folder, name), file); err != nil {
		return fmt.Errorf("copy %s: %w", source, err)
	}
	return nil
}

// write puts a file into the target. Nothing needs to survive a power cut: init runs again.
func write(path string, content io.Reader) error {
	return atomicfile.Write(path, content, atomicfile.Options{Mode: configFileMode, Unsynced: true})
}

// unpack writes what is in a *.gz. What is wrong with that is told of the *.gz, not of the file that it would have become.
func (c *configCopy) unpack(source string, packed io.Reader, target string) error {
	unpacked, err := gzip.NewReader(packed)
	if err == nil {
		content := &unpacking{content: unpacked, copy: c}
		err = write(target, content)
		err = cmp.Or(content.err, err)
	}
	if err != nil {
		return fmt.Errorf("unpack %s: %w", source, err)
	}
	return nil
}

// openRegular opens a file, and nothing that would have to be waited for: a pipe without a writer, a device.
func openRegular(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a regular file (%s)", path, info.Mode().Type())
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// unpacking is the content of a *.gz, up to the limit of the copy.
type unpacking struct {
	content io.Reader
	copy    *configCopy
	err     error // what ended it too early
}

// Read reads what is within the limit. The first byte beyond it is an error.
func (u *unpacking) Read(p []byte) (int, error) {
	n, err := u.content.Read(p)
	u.copy.unpacked += int64(n)
	if limit := u.copy.limit; limit > 0 && u.copy.unpacked > limit {
		n, err = 0, fmt.Errorf("the *.gz files become larger than %d bytes: raise COPY_CONFIG_LIMIT, or set it to 0 for no limit", limit)
	}
	if err != nil && err != io.EOF { //nolint:errorlint // a reader's io.EOF is never wrapped
		u.err = err
	}
	return n, err
}
