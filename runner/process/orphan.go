package process

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"sync-sidecar/runner/owner"
)

// tempPattern names the temporary folders of this process, for os.MkdirTemp: they say whose they are, so that those of killed runs can be told.
func tempPattern() string { return fmt.Sprintf("%s%d-*", tempPrefix(), os.Getpid()) }

// tempPrefix is the same for all processes of this machine.
func tempPrefix() string {
	sum := sha256.Sum256([]byte(owner.Machine()))
	return "sync-sidecar-" + hex.EncodeToString(sum[:4]) + "-"
}

// isOrphan says whether the run that made the folder is over: its process is gone, and the folder is ours.
func isOrphan(folder string) bool {
	number, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(folder), tempPrefix()), "-")
	pid, err := strconv.Atoi(number)
	if err != nil || !owner.Gone(pid) {
		return false
	}
	info, err := os.Lstat(folder)
	if err != nil || !info.IsDir() {
		return false
	}
	status, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(status.Uid) == os.Getuid()
}
