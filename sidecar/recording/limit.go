package recording

import "sync-sidecar/sidecar/airbyte"

// Limit says when enough of a read has come.
type Limit struct {
	// Rows is how many of each stream are wanted; 0 is all.
	Rows int64
	// Streams are the names of those that are read. Without them only what has begun counts.
	Streams int
	// First ends the recording at the first record or, where there is none, never: what comes then is to be stopped in its middle.
	First bool
}

// limiter counts records until there are enough.
type limiter struct {
	limit Limit
	rows  map[airbyte.StreamDescriptor]int64
	ended map[airbyte.StreamDescriptor]bool
	found airbyte.StreamDescriptor // by which rows was asked last, to spare the map
	count int64                    // of found
}

func newLimiter(limit Limit) *limiter {
	return &limiter{limit: limit, rows: map[airbyte.StreamDescriptor]int64{}, ended: map[airbyte.StreamDescriptor]bool{}}
}

// patience is how many times the limit a stream may send while others wait for their turn: so far it may end by itself, which tells more.
const patience = 20

// take counts a message and says whether it is enough now: when every stream has either ended or sent its number; or when one that others may wait
// for has sent far more.
func (l *limiter) take(message *airbyte.Message) bool {
	switch message.Type {
	case airbyte.TypeRecord:
		return l.record(&message.Record)
	case airbyte.TypeTrace:
		status := message.Trace.StreamStatus
		if status == nil || status.Status != airbyte.StreamComplete && status.Status != airbyte.StreamIncomplete {
			return false
		}
		l.ended[status.Stream] = true
		return l.all()
	default:
		return false
	}
}

func (l *limiter) record(record *airbyte.Record) bool {
	if l.limit.First {
		return true
	}
	if string(record.Stream) != l.found.Name || string(record.Namespace) != l.found.Namespace {
		l.rows[l.found] = l.count
		l.found = airbyte.StreamDescriptor{Name: string(record.Stream), Namespace: string(record.Namespace)}
		l.count = l.rows[l.found]
	}
	l.count++
	if l.limit.Rows <= 0 || l.count < l.limit.Rows {
		return false
	}
	l.rows[l.found] = l.count
	return l.count >= patience*l.limit.Rows || l.count == l.limit.Rows && l.all()
}

// all says whether every stream has ended or sent enough.
func (l *limiter) all() bool {
	if l.limit.Rows <= 0 || l.limit.Streams == 0 {
		return false
	}
	l.rows[l.found] = l.count
	enough := 0
	for stream, rows := range l.rows {
		if rows >= l.limit.Rows && !l.ended[stream] {
			enough++
		}
	}
	// When all have ended by themselves, the connector is about to, too.
	return enough > 0 && enough+len(l.ended) >= l.limit.Streams
}
