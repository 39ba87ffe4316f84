package states

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
	"sync-sidecar/sidecar/jsonobject"
	"sync-sidecar/sidecar/mapping"
)

// Change is what becomes of saved states (sidecar.StateReplacer).
type Change struct {
	Gone    []string // keys
	States  []sidecar.SavedState
	Entries []Entry  // that go, or that come
	Notes   []string // what a person should know
}

// Reset forgets the states of the streams that a selection means, or all. Of a GLOBAL state it takes the streams out and leaves what they share, as
// Airbyte's platform does (EmptyAirbyteSource, emitGlobalState); once no stream is left in it, all of it goes.
func Reset(saved []sidecar.SavedState, selection Selection) (Change, error) {
	entries := Of(saved)
	if isLegacy(entries) && len(selection) > 0 {
		return Change{}, errors.New("the state is LEGACY, one of all streams, and nobody but the connector knows what in it is of which stream: " +
			"it can only be reset as a whole (without --streams)")
	}
	selected, err := Selected(entries, selection)
	if err != nil {
		return Change{}, err
	}
	change := Change{Entries: selected}
	for _, state := range saved {
		switch {
		case len(selection) == 0:
			change.Gone = append(change.Gone, state.Key)
		case state.Key == sidecar.GlobalStateKey:
			if err := change.resetGlobal(state, selection); err != nil {
				return Change{}, err
			}
		case !sidecar.OfAllStreams(state.Key) && selection.takes(state.Stream):
			change.Gone = append(change.Gone, state.Key)
		}
	}
	return change, nil
}

// isLegacy says that there is a LEGACY state and nothing else.
func isLegacy(entries []Entry) bool {
	return len(entries) == 1 && entries[0].Kind == airbyte.StateLegacy
}

// resetGlobal takes streams out of a GLOBAL state.
func (c *Change) resetGlobal(state sidecar.SavedState, selection Selection) error {
	parsed, _ := parseGlobal(state.State)
	left := slices.DeleteFunc(slices.Clone(parsed.Streams), func(s globalStream) bool { return selection.takes(s.Stream) })
	switch {
	case len(left) == len(parsed.Streams):
		return nil
	case len(left) == 0:
		c.Gone = append(c.Gone, state.Key)
		c.Notes = append(c.Notes, "no stream is left in the GLOBAL state: what they share (shared_state) is forgotten, too")
		return nil
	}
	members, err := jsonobject.Split(state.State)
	if err != nil {
		return fmt.Errorf("the saved GLOBAL state: %w", err)
	}
	for i := range members {
		if members[i].Name == "stream_states" {
			if members[i].Value, err = json.Marshal(left); err != nil {
				return fmt.Errorf("the saved GLOBAL state: %w", err)
			}
		}
	}
	if state.State, err = jsonobject.Join(members); err != nil {
		return fmt.Errorf("the saved GLOBAL state: %w", err)
	}
	c.States = append(c.States, state)
	c.Notes = append(c.Notes, "the state is GLOBAL: what the streams share (shared_state, as the position in a change log) stays, since it cannot be "+
		"reset for one of them. The connector reads these streams from their beginning, and their rows are added to those that are there: merged by a "+
		"primary key, doubled without one")
	return nil
}

// Import saves given states: in place of all that are saved, or, with a selection, those of the streams that it means beside the others.
func Import(saved []sidecar.SavedState, given []airbyte.State, selection Selection) (Change, error) {
	states := slices.DeleteFunc(mapping.GivenStates(given), func(s sidecar.SavedState) bool { return sidecar.IsNullState(s.State) })
	if err := consistent(states); err != nil {
		return Change{}, err
	}
	entries := Of(states)
	if len(entries) == 0 {
		return Change{}, errors.New("it holds no state: `state reset` forgets what is saved")
	}
	if len(selection) == 0 {
		change := Change{States: states, Entries: entries}
		come := map[string]bool{}
		for _, state := range states {
			come[state.Key] = true
		}
		for _, state := range saved {
			if !come[state.Key] {
				change.Gone = append(change.Gone, state.Key)
			}
		}
		if before := Of(saved); len(before) > 0 && !slices.ContainsFunc(before, func(e Entry) bool { return e.Kind == entries[0].Kind }) {
			change.Notes = append(change.Notes, fmt.Sprintf("what was saved is %s, and what takes its place %s: the connector has to know that kind",
				before[0].Kind, entries[0].Kind))
		}
		return change, nil
	}
	allStreams := func(s sidecar.SavedState) bool { return sidecar.OfAllStreams(s.Key) && !sidecar.IsNullState(s.State) }
	switch {
	case slices.ContainsFunc(states, allStreams):
		return Change{}, fmt.Errorf("it holds a %s state, which is one of all streams: import it as a whole (without --streams)", entries[0].Kind)
	case slices.ContainsFunc(saved, allStreams):
		return Change{}, errors.New("what is saved is a state of all streams, beside which the states of some have no meaning: import the file as a " +
			"whole (without --streams)")
	}
	selected, err := Selected(entries, selection)
	if err != nil {
		return Change{}, err
	}
	return Change{Entries: selected,
		States: slices.DeleteFunc(states, func(s sidecar.SavedState) bool { return !selection.takes(s.Stream) })}, nil
}

// consistent says what keeps states from being saved together.
func consistent(states []sidecar.SavedState) error {
	owners := map[string]airbyte.StreamDescriptor{}
	for _, state := range states {
		all := sidecar.OfAllStreams(state.Key)
		owner, taken := owners[state.Key]
		switch {
		case all && state.Stream != (airbyte.StreamDescriptor{}):
			return fmt.Errorf("stream %q has the name under which states of all streams are saved", state.Key)
		case all && len(states) > 1:
			return errors.New("states of different kinds, or several of all streams, do not go together: a connector keeps to one kind " +
				"(STREAM, GLOBAL or LEGACY)")
		case taken && owner == state.Stream:
			return fmt.Errorf("it holds two states of stream %q", state.Key)
		case taken:
			return fmt.Errorf("the states of stream %q of namespace %q and of stream %q of namespace %q would both be saved as %q", owner.Name,
				owner.Namespace, state.Stream.Name, state.Stream.Namespace, state.Key)
		}
		owners[state.Key] = state.Stream
	}
	return nil
}
