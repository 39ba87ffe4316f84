// Package volume puts files on the volume that a connector's container shares: the binary of the shim, and the connector's config. In come paths;
// each file arrives whole or not at all, and what an init that was killed left half-written is removed by the next one.
package volume

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"sync-sidecar/sidecar/atomicfile"
)

// BinaryName is the name of the placed binary in its folder.
const BinaryName = "sync-sidecar"

// Place copies the running binary to folder/sync-sidecar, executable for every user, and returns that path. A missing folder is made. What is
// there is replaced by rename, so that a connector that still runs the old copy is not disturbed and nobody ever sees half a file; doing it
// again changes nothing.
func Place(executable, folder string) (string, error) {
	target := filepath.Join(folder, BinaryName)
	if err := place(executable, folder, target); err != nil {
		return "", fmt.Errorf("place the binary at %s: %w", target, err)
	}
	return target, nil
}

func place(executable, folder, target string) error {
	if err := makeFolder(folder); err != nil {
		return err
	}
	if err := removeLeftovers(folder, func(name string) bool { return name == BinaryName }); err != nil {
		return err
	}
	same, err := sameFile(executable, target)
	if err != nil || same {
		return err
	}
	source, err := os.Open(executable)
	if err != nil {
		return err
	}
	err = atomicfile.Write(target, source, atomicfile.Options{Mode: 0o755, Unsynced: true}) // init runs again after a power cut
	return errors.Join(err, source.Close())
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

// removeLeftovers removes what was half-written in a folder by an init that was killed: files of atomicfile's naming whose targets are wanted. The
// sidecar, which names files so too, does not run yet.
func removeLeftovers(folder string, wanted func(target string) bool) error {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		target, ours := atomicfile.Replaces(entry.Name())
		if !ours || !wanted(target) || !entry.Type().IsRegular() {
			continue
		}
		if err := os.Remove(filepath.Join(folder, entry.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove what an earlier init left: %w", err)
		}
	}
	return nil
}
