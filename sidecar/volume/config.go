package volume

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Modes of the copy: the connector runs as a user that we do not know, and some connectors rewrite their config in place.
const (
	configFileMode   fs.FileMode = 0o666
	configFolderMode fs.FileMode = 0o777
)

// maxConfigDepth ends a walk through symbolic links that lead back to themselves.
const maxConfigDepth = 32

// CopyConfig copies the files of a read-only folder, with its subfolders, into a folder that the connector can write to, which it makes when
// missing. A file named *.gz is unpacked and loses that ending. Symbolic links are followed, and what is behind them copied, except that names
// beginning with ".." are left out: there Kubernetes keeps the versions of a mounted Secret or ConfigMap (kubelet's atomic writer: `..data` is
// a link to `..<time>/`, and each visible file a link into `..data/`). Files of the same names are replaced, one by one and whole; nothing
// else in the target is touched.
func CopyConfig(from, to string) error {
	inside, err := contains(from, to)
	if err != nil {
		return fmt.Errorf("copy config from %s to %s: %w", from, to, err)
	}
	if inside {
		return fmt.Errorf("copy config from %s to %s: the target is in the folder that is copied; choose another", from, to)
	}
	if err := copyFolder(from, to, maxConfigDepth); err != nil {
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

// copyFolder copies one folder and, to the given depth, what is in it.
func copyFolder(from, to string, depth int) error {
	if depth == 0 {
		return fmt.Errorf("%s is nested deeper than %d folders: is there a symbolic link that leads back to itself?", from, maxConfigDepth)
	}
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	if err := makeFolder(to); err != nil {
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
			err = copyFolder(source, filepath.Join(to, entry.Name()), depth-1)
		} else {
			err = copyFile(source, to, info.Mode(), sources)
		}
		if err != nil {
			return err
		}
	}
	return nil
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

// copyFile copies one file into a folder; sources knows what was copied there before, by the names of the copies.
func copyFile(source, folder string, mode fs.FileMode, sources map[string]string) (err error) {
	if !mode.IsRegular() {
		return fmt.Errorf("%s is not a regular file (%s)", source, mode.Type())
	}
	name, packed := strings.CutSuffix(filepath.Base(source), ".gz")
	if other, taken := sources[name]; taken {
		return fmt.Errorf("%s and %s would both become %s: remove one", other, source, filepath.Join(folder, name))
	}
	sources[name] = source
	file, err := os.Open(source)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	var content io.Reader = file
	if packed {
		unpacked, err := gzip.NewReader(file)
		if err != nil {
			return fmt.Errorf("unpack %s: %w", source, err)
		}
		content = unpacked
	}
	if err := writeFile(filepath.Join(folder, name), content, configFileMode); err != nil {
		return fmt.Errorf("copy %s: %w", source, err)
	}
	return nil
}
