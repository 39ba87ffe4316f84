package smoke

import (
	"fmt"
	"slices"

	"sync-sidecar/runner/figure"
	"sync-sidecar/sidecar/airbyte"
)

// stateChecks are about the STATE messages of a read.
func stateChecks() []check {
	read := []string{stepRead}
	return []check{
		{"read.states", "each stream has a STATE", "without one the next sync reads everything again",
			"send a STATE at the end of each stream, at least", read,
			afterSound(hasStates)},
		{"read.state-type", "states are of one type, STREAM or GLOBAL", "LEGACY states cover all streams at once, and a mixture cannot be given back",
			"send STREAM states, or GLOBAL ones from a log of changes", read, afterSound(stateType)},
		{"read.state-counts", "the counts in states (sourceStats) are those of the records", "they are how lost rows are found out",
			"count the records since the last STATE of the same stream", read, afterSound(stateCounts)},
		{"read.state-order", "the last STATE of a stream comes before its COMPLETE", "what comes after may be taken for the next sync's, or dropped",
			"send the STATE first", read, afterSound(stateOrder)},
		{"read.state-repeats", "no STATE is sent twice", "nobody can tell whether its count counts again: platforms give up comparing counts",
			"send each once",
			read, afterSound(stateRepeats)},
		{"read.state-text", "states hold no NUL, and no half of a surrogate pair", "most stores of states are Postgres, which can keep neither",
			"escape such characters in what the connector remembers", read, afterSound(stateText)},
	}
}

func hasStates(e *Evidence) finding {
	if !e.complete() {
		return skip("the read is not complete")
	}
	if len(e.shared()) > 0 {
		return pass(figure.Count(len(e.shared()), "state") + " for all streams")
	}
	var missing, optional []string
	for _, stream := range e.Streams {
		switch {
		case len(stream.States) > 0 || stream.Cut:
		case stream.Incremental():
			missing = append(missing, fmt.Sprintf("stream %q: %d records and no STATE", stream.Descriptor, stream.Rows))
		default:
			optional = append(optional, fmt.Sprintf("stream %q is a full refresh without a STATE", stream.Descriptor))
		}
	}
	if len(missing) > 0 {
		return fail(few(missing)...)
	}
	return faulty(Warn, few(optional), figure.Count(len(e.States), "state"))
}

func stateType(e *Evidence) finding {
	counts := map[airbyte.StateType]int{}
	for _, state := range e.States {
		counts[state.State.Type]++
	}
	switch {
	case len(e.States) == 0:
		return skip("there are no states")
	case len(counts) > 1:
		return fail(fmt.Sprintf("%d STREAM, %d GLOBAL, %d LEGACY", counts[airbyte.StateStream], counts[airbyte.StateGlobal], counts[airbyte.StateLegacy]))
	case counts[airbyte.StateLegacy] > 0:
		return warn(figure.Count(counts[airbyte.StateLegacy], "LEGACY state"))
	}
	return pass(fmt.Sprintf("%d %s", len(e.States), e.States[0].State.Type))
}

// stateCounts compares; a line that was lost may have been counted, or not.
func stateCounts(e *Evidence) finding {
	if len(e.States) == 0 {
		return skip("there are no states")
	}
	var wrong []string
	counted, bare := 0, 0
	compare := func(states []StateLine) {
		lost := int64(0)
		for _, state := range states {
			allowed := state.Lost - lost
			lost = state.Lost
			switch {
			case state.Repeated:
			case state.Count < 0:
				bare++
			case state.Count < float64(state.Since) || state.Count > float64(state.Since+allowed):
				wrong = append(wrong, fmt.Sprintf("the STATE on stdout line %d counts %.0f records, %d came", state.Line, state.Count, state.Since))
			default:
				counted++
			}
		}
	}
	compare(e.shared())
	for _, stream := range e.Streams {
		compare(stream.States)
	}
	switch {
	case len(wrong) > 0:
		return fail(few(wrong)...)
	case bare > 0 && !slices.ContainsFunc(e.States, func(s StateLine) bool { return s.State.Type != airbyte.StateLegacy }):
		return skip("LEGACY states have no counts")
	case bare > 0:
		return warn(fmt.Sprintf("%d of %d states have no count", bare, bare+counted))
	}
	return pass(fmt.Sprintf("%d counts agree", counted))
}

func stateOrder(e *Evidence) finding {
	return faulty(Warn, eachStream(e, func(s *Stream) []string {
		for _, state := range s.States {
			if state.Late {
				return []string{fmt.Sprintf("a STATE after %s (stdout line %d)", s.ended(), state.Line)}
			}
		}
		return nil
	}))
}

func stateRepeats(e *Evidence) finding {
	var found Seen
	for _, state := range e.States {
		if state.Repeated {
			found.at(state.Line)
		}
	}
	if found.Count == 0 {
		return pass()
	}
	return warn(found.where() + " states")
}

func stateText(e *Evidence) finding {
	var found Seen
	for _, state := range e.States {
		if state.Odd {
			found.at(state.Line)
		}
	}
	if found.Count == 0 {
		return pass()
	}
	return warn(found.where() + " states")
}
