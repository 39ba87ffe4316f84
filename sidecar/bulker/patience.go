package bulker

import (
	"sync"
	"time"
)

// destinationKey stands for the destination in patience.
const destinationKey = "destination"

// tableKey stands for a table in patience.
func tableKey(table string) string { return "table " + table }

// patience remembers since when something fails that works within seconds or never: a destination that Bulker does not know yet, a table that changed
// under a load.
type patience struct {
	limit time.Duration

	mu sync.Mutex
	// +checklocks:mu
	since map[string]time.Time // of the first failure in a row, by what failed
}

func newPatience(limit time.Duration) *patience {
	return &patience{limit: limit, since: map[string]time.Time{}}
}

// over notes a failure and says whether it has lasted too long.
func (p *patience) over(of string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	since, failing := p.since[of]
	if !failing {
		since = time.Now()
		p.since[of] = since
	}
	return time.Since(since) >= p.limit
}

// forget notes that things did not fail in that way.
func (p *patience) forget(of ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, key := range of {
		delete(p.since, key)
	}
}
