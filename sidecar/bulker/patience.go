package bulker

import (
	"sync"
	"time"
)

// destinationKey stands for the destination in patience.
const destinationKey = "destination"

// tableKey stands for a table in patience.
func tableKey(table string) string { return "table " + table }

// patience remembers since when things have failed that are right within seconds or never: a destination that Bulker does not know, a table that
// changed under a load.
type patience struct {
	limit time.Duration

	mu    sync.Mutex
	since map[string]time.Time
}

func newPatience(limit time.Duration) *patience {
	return &patience{limit: limit, since: map[string]time.Time{}}
}

// over takes note of a failure and says whether it has lasted too long.
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

// forget takes note of things that did not fail in that way.
func (p *patience) forget(of ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, key := range of {
		delete(p.since, key)
	}
}
