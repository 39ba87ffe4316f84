package share

import (
	"fmt"
	"strings"

	"sync-sidecar/sidecar"
)

// Verdict is what parts that have ended say together, each of which had streams, and why that is no SUCCESS.
func Verdict(parts []Part) (sidecar.Status, string) {
	whole := sum{streams: map[int]int{}, statuses: map[sidecar.Status]int{}}
	for index, part := range parts {
		whole.streams[index] = 1
		whole.add(index, part)
	}
	return whole.status(), whole.error()
}

// sum adds up how the shards of a task ended.
type sum struct {
	streams  map[int]int            // how many streams each shard has
	statuses map[sidecar.Status]int // of the shards that have streams
	running  bool
	absent   int // shards that have not begun
	missed   int // streams that their shard did not find
	failed   []string
}

// add counts the part of a shard. One without streams has nothing to fail at; it only has to begin.
func (s *sum) add(index int, part Part) {
	switch part.Status {
	case "":
		s.absent++
		return
	case sidecar.StatusPending, sidecar.StatusRunning:
		s.running = true
		return
	case sidecar.StatusSuccess:
	default:
		said := fmt.Sprintf("shard %d %s", index, part.Status)
		if part.Error != "" {
			said += ": " + part.Error
		}
		s.failed = append(s.failed, said)
	}
	if s.streams[index] > 0 || part.Status != sidecar.StatusSuccess {
		s.statuses[part.Status]++
	}
}

// status is that of the whole task. Once a shard is cancelled, and nobody is at work, those that have not begun are not waited for: whoever cancelled
// one Pod most likely cancelled all.
func (s *sum) status() sidecar.Status {
	good, some := s.statuses[sidecar.StatusSuccess], s.statuses[sidecar.StatusPartial]
	switch {
	case s.running, s.absent > 0 && s.statuses[sidecar.StatusCancelled] == 0:
		return sidecar.StatusRunning
	case s.statuses[sidecar.StatusCancelled] > 0:
		return sidecar.StatusCancelled
	case s.statuses[sidecar.StatusTimeExceeded] > 0:
		return sidecar.StatusTimeExceeded
	case len(s.failed) == 0 && s.missed == 0:
		return sidecar.StatusSuccess
	case good+some > 0:
		return sidecar.StatusPartial
	}
	return sidecar.StatusFailed
}

// error names the shards that did not end well, and what each says of that.
func (s *sum) error() string {
	parts := s.failed
	if s.missed > 0 {
		parts = append(parts, fmt.Sprintf("streams that the connector did not name to their shard: %d; the next run shares them out anew", s.missed))
	}
	return strings.Join(parts, "; ")
}
