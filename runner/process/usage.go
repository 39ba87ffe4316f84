package process

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"sync-sidecar/runner"
	"sync-sidecar/sidecar"
)

// sidecarRead is the command during which the connector's usage is shown.
const sidecarRead = sidecar.CommandRead

// usageInterval is how often it is looked at.
const usageInterval = time.Second

// clockTicks is how many ticks of CPU time a second has in /proc, on every Linux (USER_HZ).
const clockTicks = 100

// usage tells about once a second what a process and those below it use, until ctx ends. Systems without /proc tell nothing.
func usage(ctx context.Context, pid int, event func(runner.Event)) {
	ticker := time.NewTicker(usageInterval)
	defer ticker.Stop()
	last, lastAt := family(pid).ticks, time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			sample := family(pid)
			if sample.memory > 0 {
				cpus := float64(max(0, sample.ticks-last)) / clockTicks / now.Sub(lastAt).Seconds()
				event(runner.Event{Usage: &runner.Usage{Memory: sample.memory, CPUs: cpus}})
			}
			last, lastAt = sample.ticks, now
		}
	}
}

// sample is what processes use: resident memory in bytes, and CPU time.
type sample struct{ memory, ticks int64 }

// family is what a process and those below it use, see proc(5).
func family(pid int) sample {
	var sum sample
	stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return sum
	}
	// The name, in parentheses, may hold anything; what follows begins with the state, the third field.
	fields := strings.Fields(string(stat)[strings.LastIndexByte(string(stat), ')')+1:])
	if len(fields) < 22 {
		return sum
	}
	for _, field := range []int{11, 12, 13, 14} { // utime, stime, cutime, cstime
		ticks, err := strconv.ParseInt(fields[field], 10, 64)
		if err == nil {
			sum.ticks += ticks
		}
	}
	if pages, err := strconv.ParseInt(fields[21], 10, 64); err == nil {
		sum.memory = pages * int64(os.Getpagesize())
	}
	lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		return sum
	}
	for _, list := range lists {
		children, err := os.ReadFile(list)
		if err != nil {
			continue // the thread has gone
		}
		for _, child := range strings.Fields(string(children)) {
			if number, err := strconv.Atoi(child); err == nil {
				below := family(number)
				sum.memory, sum.ticks = sum.memory+below.memory, sum.ticks+below.ticks
			}
		}
	}
	return sum
}
