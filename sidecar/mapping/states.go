package mapping

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
	"sync-sidecar/sidecar/jsonobject"
)

// StatesForConnector picks from what is saved the states that the next read starts from, in the order of the catalog: the STREAM states, or else the
// GLOBAL one, or else the LEGACY one, since a connector keeps to one kind. Jitsu's console does the same (lib/server/sync.ts).
//
// It leaves out the states of full refreshes, and those that only tell of one (OfFullRefresh).
func StatesForConnector(saved []sidecar.SavedState, catalog airbyte.ConfiguredCatalog) ([]airbyte.State, error) {
	byKey := map[string]sidecar.SavedState{}
	for _, state := range saved {
		// The local folder indents what it saves; a connector that passes the state on as it got it would send it as several lines.
		compact := &bytes.Buffer{}
		if err := json.Compact(compact, state.State); err != nil {
			return nil, fmt.Errorf("saved state %s: %w", state.Key, err)
		}
		state.State = compact.Bytes()
		byKey[state.Key] = state
	}
	var states []airbyte.State
	for _, stream := range catalog.Streams {
		state, found := byKey[stream.Stream.Descriptor().String()]
		if found && resumable(stream, state.State) {
			states = append(states, airbyte.State{Type: airbyte.StateStream, Stream: stream.Stream.Descriptor(), StreamState: state.State, RecordCount: -1})
		}
	}
	if len(states) > 0 {
		return states, nil
	}
	if global, found := byKey[sidecar.GlobalStateKey]; found && !sidecar.IsNullState(global.State) {
		filtered, err := withoutFullRefreshes(global.State, catalog)
		if err != nil {
			return nil, err
		}
		return []airbyte.State{{Type: airbyte.StateGlobal, Global: filtered, RecordCount: -1}}, nil
	}
	if legacy, found := byKey[sidecar.LegacyStateKey]; found && !sidecar.IsNullState(legacy.State) {
		return []airbyte.State{{Type: airbyte.StateLegacy, Data: legacy.State, RecordCount: -1}}, nil
	}
	return nil, nil
}

// GivenStates are the states of a state file in the form in which a Journal keeps them.
func GivenStates(states []airbyte.State) []sidecar.SavedState {
	given := make([]sidecar.SavedState, 0, len(states))
	for _, state := range states {
		switch state.Type {
		case airbyte.StateStream:
			given = append(given, sidecar.SavedState{Key: state.Stream.String(), Stream: state.Stream, State: state.StreamState})
		case airbyte.StateGlobal:
			given = append(given, sidecar.SavedState{Key: sidecar.GlobalStateKey, State: state.Global})
		default:
			given = append(given, sidecar.SavedState{Key: sidecar.LegacyStateKey, State: state.Data})
		}
	}
	return given
}

// WithCommitted are the states of a sync whose journal may be behind what its destination has committed together with rows: that counts. Others of
// the journal stay, as far as sidecar.StateKinds lets them.
func WithCommitted(saved, committed []sidecar.SavedState, streams []sidecar.StreamConfig) []sidecar.SavedState {
	if len(committed) == 0 {
		return saved
	}
	keys := make([]string, len(saved))
	for i, state := range saved {
		keys[i] = state.Key
	}
	var kinds sidecar.StateKinds
	states, gone := kinds.Plan(OfIncremental(committed, streams)).Settle(keys)
	for _, state := range saved {
		replaced := slices.ContainsFunc(states, func(newer sidecar.SavedState) bool { return newer.Key == state.Key })
		if !replaced && !slices.Contains(gone, state.Key) {
			states = append(states, state)
		}
	}
	return states
}

// OfIncremental are states with what is known of their streams (sidecar.SavedState.Incremental).
func OfIncremental(states []sidecar.SavedState, streams []sidecar.StreamConfig) []sidecar.SavedState {
	incremental := map[string]bool{}
	for _, stream := range streams {
		if stream.Incremental {
			incremental[stream.Table.Stream.String()] = true
		}
	}
	states = slices.Clone(states)
	for i := range states {
		if incremental[states[i].Key] {
			states[i].Incremental = len(incremental)
		}
	}
	return states
}

// resumable says that a read of the stream may go on from the state.
func resumable(stream airbyte.ConfiguredStream, state json.RawMessage) bool {
	return stream.SyncMode == airbyte.Incremental && !sidecar.IsNullState(state) && !OfFullRefresh(state)
}

// OfFullRefresh says that a state is one of those which the Python CDK sends at the end of a full refresh (checkpoint_reader.py, cursor.py). They
// hold no position to go on from. With the first, the next full refresh would return no rows (airbyte issue 42888). With the second, a stream that is
// read incrementally from now on, as a new version of its connector may offer, would bring all its rows again, beside those that are there.
func OfFullRefresh(state json.RawMessage) bool {
	complete, noCursor := sentinels(state)
	return complete || noCursor
}

// sentinels says which of the states of OfFullRefresh a state is.
func sentinels(state json.RawMessage) (complete, noCursor bool) {
	var sentinel struct {
		Complete bool `json:"__ab_full_refresh_sync_complete"`
		NoCursor bool `json:"__ab_no_cursor_state_message"`
	}
	if json.Unmarshal(state, &sentinel) != nil {
		return false, false
	}
	return sentinel.Complete, sentinel.NoCursor
}

// Positions are the states that a connector was given, without those of a stream that has no cursor: it begins anew, whoever gave it that.
func Positions(given []airbyte.State) []airbyte.State {
	return slices.DeleteFunc(slices.Clone(given), func(state airbyte.State) bool {
		_, noCursor := sentinels(state.StreamState)
		return state.Type == airbyte.StateStream && noCursor
	})
}

// withoutFullRefreshes drops from a GLOBAL state the streams that do not go on from a state. Everything else stays as the connector sent it.
func withoutFullRefreshes(global json.RawMessage, catalog airbyte.ConfiguredCatalog) (json.RawMessage, error) {
	modes := map[airbyte.StreamDescriptor]airbyte.ConfiguredStream{}
	for _, stream := range catalog.Streams {
		modes[stream.Stream.Descriptor()] = stream
	}
	var state struct {
		Streams []json.RawMessage `json:"stream_states"`
	}
	if err := json.Unmarshal(global, &state); err != nil {
		return nil, fmt.Errorf("saved GLOBAL state: %w", err)
	}
	kept := slices.Clone(state.Streams)
	kept = slices.DeleteFunc(kept, func(entry json.RawMessage) bool {
		var one struct {
			Stream airbyte.StreamDescriptor `json:"stream_descriptor"`
			State  json.RawMessage          `json:"stream_state"`
		}
		if json.Unmarshal(entry, &one) != nil {
			return false
		}
		stream, configured := modes[one.Stream]
		return configured && !resumable(stream, one.State)
	})
	if len(kept) == len(state.Streams) {
		return global, nil
	}
	members, err := jsonobject.Split(global)
	if err != nil {
		return nil, fmt.Errorf("saved GLOBAL state: %w", err)
	}
	for i := range members {
		if members[i].Name == "stream_states" {
			if members[i].Value, err = json.Marshal(kept); err != nil {
				return nil, fmt.Errorf("saved GLOBAL state: %w", err)
			}
		}
	}
	return jsonobject.Join(members)
}

// covered says which streams of the catalog start from a state.
func covered(states []airbyte.State, catalog airbyte.ConfiguredCatalog) map[airbyte.StreamDescriptor]bool {
	found := map[airbyte.StreamDescriptor]bool{}
	for _, state := range states {
		switch state.Type {
		case airbyte.StateStream:
			found[state.Stream] = !sidecar.IsNullState(state.StreamState)
		default:
			for _, stream := range catalog.Streams {
				found[stream.Stream.Descriptor()] = true
			}
		}
	}
	return found
}
