package sidecar

import (
	"bytes"
	"encoding/json"
	"slices"
)

// Kinds of states. A source keeps one kind: a state for each stream (STREAM), one for all of them (GLOBAL), or one whose content nobody can tell
// (LEGACY). A source of the GLOBAL kind sends STREAM states, too, of the streams that it reads as full refreshes (Airbyte's bulk CDK,
// StateManagerFactory.forGlobal). What is saved is given back in one kind: STREAM states before a GLOBAL one and that before a LEGACY one
// (mapping.StatesForConnector); Jitsu's own pods take a GLOBAL or LEGACY one only where it is alone (sync-sidecar, loadSyncState). So that neither of
// them gives back less than there was:
//
//   - A state takes the place of the earlier one with its key; `null` takes that away.
//   - The STREAM state of a full refresh, which is never given back, takes the place of nothing else, and is not kept beside a GLOBAL or LEGACY one.
//   - The STREAM state of an incremental stream takes the place of a GLOBAL or LEGACY one of earlier runs once this run has saved one for every
//     incremental stream (airbyte-platform asks for the same, SyncPersistenceImpl.validateStreamStates). Until then both are there.
//   - A GLOBAL state holds what every stream needs: it takes the place of a LEGACY one, and of all STREAM states but those that this run saved of
//     incremental streams.
//   - A LEGACY state does not tell what it holds: it takes the place of nothing else, and is not kept beside a GLOBAL one. A sync whose source went
//     back from another kind to this one goes on with what it had until that is reset.

// IsNullState says that a state is none: it resets what is saved.
func IsNullState(state json.RawMessage) bool {
	trimmed := bytes.TrimSpace(state)
	return len(trimmed) == 0 || string(trimmed) == "null"
}

// OfAllStreams says that a key is that of a state of all streams.
func OfAllStreams(key string) bool { return key == GlobalStateKey || key == LegacyStateKey }

// StateKinds is what a Journal knows of the states that it saved in this run; the zero value has saved none. It plans what becomes of the others.
type StateKinds struct {
	saved map[string]bool // keys of STREAM states, by whether somebody goes on from them
}

// StatePlan is what a save does to the states of a sync, all at once.
type StatePlan struct {
	Save []PlannedState // one for each key
	Gone []string       // keys of states that go
	// AllStreams says that every STREAM state goes that is neither in Save nor in Kept.
	AllStreams bool
	Kept       []string
}

// PlannedState is a state to be saved. Where a GLOBAL or LEGACY one was saved already that it must not be beside, it is not, and an earlier one of
// its key goes.
type PlannedState struct {
	SavedState
	UnlessGlobal, UnlessLegacy bool
}

// Plan decides what it does to save states, of which the last of each key counts.
func (k *StateKinds) Plan(states []SavedState) StatePlan {
	last := make(map[string]SavedState, len(states))
	for _, state := range states {
		last[state.Key] = state
	}
	global, legacy := !IsNullState(last[GlobalStateKey].State), !IsNullState(last[LegacyStateKey].State)
	var plan StatePlan
	for key, state := range last {
		planned := PlannedState{SavedState: state}
		switch {
		case key == LegacyStateKey:
			planned.UnlessGlobal = true
		case key != GlobalStateKey && state.Incremental == 0:
			planned.UnlessGlobal, planned.UnlessLegacy = true, true
		}
		if IsNullState(state.State) || planned.UnlessGlobal && global || planned.UnlessLegacy && legacy {
			plan.Gone = append(plan.Gone, key)
		} else {
			plan.Save = append(plan.Save, planned)
		}
	}
	if k.covers(last) {
		plan.goes(last, GlobalStateKey, LegacyStateKey)
	}
	if global {
		plan.goes(last, LegacyStateKey)
		plan.AllStreams = true
	}
	for key, incremental := range k.saved {
		switch {
		case global && incremental:
			plan.Kept = append(plan.Kept, key)
		case legacy && !incremental:
			plan.goes(last, key)
		}
	}
	return plan
}

// goes notes that saved states go, but those that are saved just now.
func (p *StatePlan) goes(saving map[string]SavedState, keys ...string) {
	for _, key := range keys {
		if _, saved := saving[key]; !saved {
			p.Gone = append(p.Gone, key)
		}
	}
}

// covers says whether every incremental stream of the run has a STREAM state, with these.
func (k *StateKinds) covers(states map[string]SavedState) bool {
	streams, have := 0, 0
	for key, state := range states {
		if !OfAllStreams(key) && state.Incremental > 0 && !IsNullState(state.State) {
			streams, have = state.Incremental, have+1
		}
	}
	for key, incremental := range k.saved {
		if _, again := states[key]; incremental && !again {
			have++
		}
	}
	return streams > 0 && have >= streams
}

// Saved notes that states were saved as planned.
func (k *StateKinds) Saved(states []SavedState) {
	if k.saved == nil {
		k.saved = map[string]bool{}
	}
	for _, state := range states {
		switch {
		case OfAllStreams(state.Key):
		case IsNullState(state.State):
			delete(k.saved, state.Key)
		default:
			k.saved[state.Key] = state.Incremental > 0
		}
	}
}

// Settle is the plan for states that are in memory, by their keys: which are to be saved, and the keys that go.
func (p StatePlan) Settle(saved []string) (save []SavedState, gone []string) {
	stands, stays := map[string]bool{}, map[string]bool{}
	for _, key := range saved {
		stands[key] = true
	}
	gone = slices.Clone(p.Gone)
	for _, state := range p.Save {
		stays[state.Key] = true
		if state.UnlessGlobal && stands[GlobalStateKey] || state.UnlessLegacy && stands[LegacyStateKey] {
			gone = append(gone, state.Key)
		} else {
			save = append(save, state.SavedState)
		}
	}
	for _, key := range p.Kept {
		stays[key] = true
	}
	for _, key := range saved {
		if p.AllStreams && !OfAllStreams(key) && !stays[key] {
			gone = append(gone, key)
		}
	}
	return save, gone
}
