package shim

import (
	"os"
	"strconv"
	"strings"
)

// Where a container finds the counts of its own control group, as Docker and Kubernetes mount it.
const (
	MemoryEventsV2 = "/sys/fs/cgroup/memory.events"             // Linux, Documentation/admin-guide/cgroup-v2.rst
	MemoryEventsV1 = "/sys/fs/cgroup/memory/memory.oom_control" // Linux, Documentation/admin-guide/cgroup-v1/memory.rst
)

// outOfMemoryKills is how many processes of this container the kernel has killed for want of memory; 0 where nobody counts.
func (s *session) outOfMemoryKills() int64 {
	var kills int64
	for _, path := range s.spec.MemoryEvents {
		kills += killsIn(path)
	}
	return kills
}

// killsIn reads one file of lines of a word and a number, one of them "oom_kill N".
func killsIn(path string) int64 {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if number, ok := strings.CutPrefix(strings.TrimSpace(line), "oom_kill "); ok {
			count, err := strconv.ParseInt(number, 10, 64)
			if err != nil {
				return 0
			}
			return count
		}
	}
	return 0
}
