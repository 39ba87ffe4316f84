package volume

import (
	"fmt"
	"os"
	"syscall"
)

// Identity tells a file or a folder from every other one, on whatever machine: by where it is on which disk, and when it was changed last. That of a
// folder changes with what is in it.
func Identity(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	status, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return "", fmt.Errorf("look at %s: the system does not say what file it is", path)
	}
	return fmt.Sprintf("%d.%d.%d.%d", status.Dev, status.Ino, info.Size(), info.ModTime().UnixNano()), nil
}

// Same says that a path leads to the file or folder with this identity.
func Same(path, identity string) bool {
	own, err := Identity(path)
	return err == nil && own == identity
}
