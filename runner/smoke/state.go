package smoke

import (
	"encoding/json"
	"slices"

	"sync-sidecar/sidecar/airbyte"
)

// state takes one STATE.
func (r *reading) state(line int64, state *airbyte.State) {
	kept := StateLine{Line: line, Seconds: r.at(), State: copied(state), Count: state.RecordCount, Lost: r.Lost, Odd: unstorable(content(*state))}
	before := len(r.States) - 1
	if state.Type == airbyte.StateStream {
		stream := r.find(state.Stream)
		if stream == nil {
			r.States = append(r.States, kept)
			return
		}
		kept.Rows, kept.Since, stream.since = stream.Rows, stream.since, 0
		kept.Lost = stream.Lost
		kept.Late = stream.ended() == airbyte.StreamComplete || stream.ended() == airbyte.StreamIncomplete
		if last := len(stream.States) - 1; last >= 0 {
			kept.Repeated = kept.repeats(stream.States[last])
		}
		stream.States = append(stream.States, kept)
	} else {
		kept.Rows, kept.Since, r.since = r.Rows, r.since, 0
		kept.Repeated = before >= 0 && kept.repeats(r.States[before])
	}
	r.States = append(r.States, kept)
}

// repeats says whether a state is the one before again: the protocol forbids it, since nobody can tell whether its count counts again.
func (s StateLine) repeats(before StateLine) bool {
	return s.Since == 0 && s.Count > 0 && s.Count == before.Count && string(content(s.State)) == string(content(before.State))
}

func copied(state *airbyte.State) airbyte.State {
	kept := *state
	kept.StreamState, kept.Global, kept.Data = clone(state.StreamState), clone(state.Global), clone(state.Data)
	return kept
}

// content is the state itself.
func content(s airbyte.State) json.RawMessage {
	switch s.Type {
	case airbyte.StateStream:
		return s.StreamState
	case airbyte.StateGlobal:
		return s.Global
	default:
		return s.Data
	}
}

// checkpoint is a state to start a read from, and the streams that it is about.
type checkpoint struct {
	file    json.RawMessage
	streams []*Stream
	// rows is how many records of each of them the first read had brought when the state came.
	rows map[*Stream]int64
}

// last is where the read stopped: what a next one is given. Streams that were read whole are left out: their states say that nothing is to be read.
func (e *Evidence) last() checkpoint {
	return e.checkpointOf(func(states []StateLine) int { return len(states) - 1 })
}

// middle is a state of each stream with records before and after it.
func (e *Evidence) middle() checkpoint {
	return e.checkpointOf(func(states []StateLine) int {
		total := states[len(states)-1].Rows
		inside := func(s StateLine) bool { return s.Rows > 0 && s.Rows < total }
		var all []int
		for i, state := range states {
			if inside(state) {
				all = append(all, i)
			}
		}
		if len(all) == 0 {
			return -1
		}
		return all[len(all)/2]
	})
}

// checkpointOf takes the state that choose points at, of each stream, or the one for all streams.
func (e *Evidence) checkpointOf(choose func([]StateLine) int) checkpoint {
	point := checkpoint{rows: map[*Stream]int64{}}
	var states []airbyte.State
	if shared := e.shared(); len(shared) > 0 {
		at := choose(shared)
		if at < 0 {
			return point
		}
		states = append(states, shared[at].State)
		for _, stream := range e.Streams {
			if stream.Incremental() {
				point.streams = append(point.streams, stream)
				point.rows[stream] = stream.before(shared[at].Line)
			}
		}
	} else {
		for _, stream := range e.Streams {
			if !stream.Incremental() || len(stream.States) == 0 {
				continue
			}
			if at := choose(stream.States); at >= 0 {
				states = append(states, stream.States[at].State)
				point.streams, point.rows[stream] = append(point.streams, stream), stream.States[at].Rows
			}
		}
	}
	file, err := airbyte.FormatStateFile(states)
	if err != nil || len(states) == 0 || len(point.streams) == 0 {
		return checkpoint{}
	}
	point.file = file
	return point
}

// shared are the states that are about all streams.
func (e *Evidence) shared() []StateLine {
	return slices.DeleteFunc(slices.Clone(e.States), func(s StateLine) bool { return s.State.Type == airbyte.StateStream })
}

// before is how many records of the stream stand before a line of stdout.
func (s *Stream) before(line int64) int64 {
	at, _ := slices.BinarySearchFunc(s.lines, line, func(one, line int64) int { return int(one - line) })
	return int64(at)
}
