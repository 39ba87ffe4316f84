package sidecartest

import (
	"bytes"
	"maps"

	"sync-sidecar/sidecar"
)

// keep makes a state the saved one of its key. A sync's states have one scope: a GLOBAL or LEGACY one replaces all others, a STREAM state replaces
// those.
func keep(states map[string]sidecar.SavedState, state sidecar.SavedState) {
	maps.DeleteFunc(states, func(key string, _ sidecar.SavedState) bool {
		return key != state.Key && (isWide(key) || isWide(state.Key))
	})
	if text := bytes.TrimSpace(state.State); len(text) == 0 || string(text) == "null" {
		delete(states, state.Key)
		return
	}
	states[state.Key] = state
}

// isWide says that a key is that of a state of all streams.
func isWide(key string) bool { return key == sidecar.GlobalStateKey || key == sidecar.LegacyStateKey }
