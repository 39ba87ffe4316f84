// Package proctest measures other processes, for tests and benchmarks.
package proctest

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// HighWater is the most memory that a running process had at once, in bytes; 0 when it has ended. It reads VmHWM, see proc(5).
//
// What wait4(2) tells of a process that has ended (Maxrss) is no measure of it: Linux counts there what the process was before its program began, and
// a process that Go starts shares its parent's memory until then.
func HighWater(pid int) int64 {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	if err != nil {
		return 0
	}
	_, rest, found := strings.Cut(string(text), "\nVmHWM:")
	if !found {
		return 0
	}
	var kilobytes int64
	if _, err := fmt.Sscan(rest, &kilobytes); err != nil {
		return 0
	}
	return kilobytes << 10
}

// WatchHighWater looks at HighWater until ended is closed and gives the last figure: it may lack what the last 20 ms added.
func WatchHighWater(pid int, ended <-chan struct{}) <-chan int64 {
	const interval = 20 * time.Millisecond
	result := make(chan int64, 1)
	go func() {
		ticker := time.NewTicker(interval)
		defer ticker.Stop()
		var most int64
		for {
			most = max(most, HighWater(pid))
			select {
			case <-ticker.C:
			case <-ended:
				result <- most
				return
			}
		}
	}()
	return result
}
