package session

import (
	"bytes"
	"encoding/json"
	"fmt"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
)

// state takes a checkpoint.
func (r *read) state(state *airbyte.State) {
	switch state.Type {
	case airbyte.StateStream:
		s := r.find([]byte(state.Stream.Namespace), []byte(state.Stream.Name), "a state", r.tellAll)
		if s == nil || s.cut {
			return
		}
		saved := sidecar.SavedState{Key: s.key, Stream: s.descriptor, State: orNull(state.StreamState)}
		if s.config.Incremental {
			saved.Incremental = r.incremental
		}
		if lost := s.tally.State(saved.State, state.RecordCount); lost != "" {
			r.lose(s, lost)
		}
		s.stated = true
		r.loader.StreamState(s.index, saved, r.connector.Load().left)
	case airbyte.StateGlobal:
		r.globalState(sidecar.SavedState{Key: sidecar.GlobalStateKey, State: bytes.Clone(orNull(state.Global))}, state.RecordCount)
	default:
		r.globalState(sidecar.SavedState{Key: sidecar.LegacyStateKey, State: bytes.Clone(orNull(state.Data))}, state.RecordCount)
	}
}

// orNull is a state; an absent one resets, as null does.
func orNull(state json.RawMessage) json.RawMessage {
	if len(state) == 0 {
		return json.RawMessage("null")
	}
	return state
}

// globalState takes a state that covers all streams.
func (r *read) globalState(state sidecar.SavedState, count float64) {
	if r.config.Identity.Shard.Active() {
		r.refuseShards(state.Key)
		return
	}
	if r.aheadOfRows() {
		return
	}
	r.statedAll = true
	if arrived, differs := r.global.State(state.State, count); differs {
		r.warn(fmt.Sprintf("the connector says that it sent %d rows since its last %s state, %d arrived", int64(count), state.Key, arrived))
	}
	r.loader.GlobalState(state, r.connector.Load().left)
}

// refuseShards ends a shard whose connector keeps one state for all streams: what it says of the streams of other shards, nobody could save.
func (r *read) refuseShards(key string) {
	kind := map[string]string{sidecar.GlobalStateKey: "GLOBAL", sidecar.LegacyStateKey: "LEGACY"}[key]
	refusal := &sidecar.LoadError{Permanent: true, Message: fmt.Sprintf("the connector keeps one state for all its streams (%s), "+
		"so that they cannot be shared out: run without --shards", kind)}
	for _, s := range r.streams {
		r.loader.Fail(s.index, refusal)
	}
}
