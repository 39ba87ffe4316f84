package process

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// isOrphan says whether the run that made the folder is over: its process is gone, and the folder is ours and not fresh.
func isOrphan(folder string) bool {
	owner, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(folder), tempPrefix), "-")
	pid, err := strconv.Atoi(owner)
	if err != nil || pid <= 0 {
		return false
	}
	info, err := os.Lstat(folder)
	if err != nil || !info.IsDir() || time.Since(info.ModTime()) < staleAfter {
		return false
	}
	if status, ok := info.Sys().(*syscall.Stat_t); !ok || int(status.Uid) != os.Getuid() {
		return false
	}
	return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH)
}
