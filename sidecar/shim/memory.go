package shim

import (
	"os"
	"strconv"
	"strings"
)

// DefaultMemoryEvents is where a container finds its own memory.events (cgroup v2, with a cgroup namespace, as Docker and Kubernetes make it).
const DefaultMemoryEvents = "/sys/fs/cgroup/memory.events"

// outOfMemoryKills is how many processes of this container the kernel has killed for want of memory; 0 where nobody counts.
// The file has lines of a word and a number, one of them "oom_kill N" (Linux, Documentation/admin-guide/cgroup-v2.rst).
func (s *session) outOfMemoryKills() int64 {
	text, err := os.ReadFile(s.spec.MemoryEvents)
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
