// Package volume puts files on the volume that a connector's container shares: the binary of the shim, and the connector's config.
package volume

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// BinaryName is the name of the placed binary in its folder.
const BinaryName = "sync-sidecar"

// Place copies the running binary to folder/sync-sidecar, executable for every user, and returns that path. A missing folder is made. What is
// there is replaced by rename, so that a connector that still runs the old copy is not disturbed and nobody ever sees half a file; doing it
// again changes nothing.
func Place(executable, folder string) (string, error) {
	target := filepath.Join(folder, BinaryName)
	if err := makeFolder(folder); err != nil {
		return "", fmt.Errorf("place the binary at %s: %w", target, err)
	}
	same, err := sameFile(executable, target)
	if err != nil {
		return "", fmt.Errorf("place the binary at %s: %w", target, err)
	}
	if same {
		return target, nil
	}
	source, err := os.Open(executable)
	if err != nil {
		return "", fmt.Errorf("place the binary at %s: %w", target, err)
	}
	if err := errors.Join(writeFile(target, source, 0o755), source.Close()); err != nil {
		return "", fmt.Errorf("place the binary at %s: %w", target, err)
	}
	return target, nil
}

// sameFile says whether both paths are one existing file.
func sameFile(a, b string) (bool, error) {
	infoA, err := os.Stat(a)
	if err != nil {
		return false, err
	}
	infoB, err := os.Stat(b)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return os.SameFile(infoA, infoB), nil
}

// writeFile writes a new file beside the target and renames it into place. The mode is set after the file is made, so that no umask cuts it.
func writeFile(target string, content io.Reader, mode fs.FileMode) (err error) {
	file, err := os.CreateTemp(filepath.Dir(target), "."+filepath.Base(target)+"-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(file.Name()))
		}
	}()
	_, copyErr := io.Copy(file, content)
	// An executable that is still open for writing cannot be started (ETXTBSY), so it is closed before it gets its name.
	if err := errors.Join(copyErr, file.Chmod(mode), file.Close()); err != nil {
		return err
	}
	return os.Rename(file.Name(), target)
}
