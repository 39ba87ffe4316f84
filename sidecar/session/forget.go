package session

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
)

// A read that replaces the rows of a stream leaves nothing that the states of earlier runs tell of. Most connectors send a state of their own, which
// takes the place of the earlier one; of a full refresh they need not. The next incremental read would go on from the earlier state then, and bring
// rows that are there: those without a primary key would be there twice. So that state is forgotten, together with the rows that it was of.

// earlierStates are the saved states of earlier runs; none where the read replaces no rows. The lock must be held.
func earlierStates(ctx context.Context, parts Parts, streams []sidecar.StreamConfig) ([]sidecar.SavedState, error) {
	if !slices.ContainsFunc(streams, func(stream sidecar.StreamConfig) bool { return stream.Mode != sidecar.Append }) {
		return nil, nil
	}
	earlier, err := parts.Journal.LoadStates(ctx)
	if err != nil {
		return nil, fmt.Errorf("look for the states of earlier runs: %w", err)
	}
	if committer, ok := parts.Destination.(sidecar.Committer); ok {
		committed, err := committer.Committed(ctx)
		if err != nil {
			return nil, err
		}
		earlier = append(earlier, committed...)
	}
	return earlier, nil
}

// forget takes the earlier state of a stream away when all rows of it are replaced and no state of this run tells of them. A state that comes later
// takes its place all the same. The reader's.
func (r *read) forget(s *stream) {
	if s.config.Mode == sidecar.Append || s.stated || r.statedAll || !r.earlier[s.key] {
		return
	}
	r.loader.StreamState(s.index, r.noStateOf(s), s.ended)
	r.logs.Of(s.key).Info(fmt.Sprintf("stream %q: its rows are replaced and the connector sent no state: the saved one is forgotten, "+
		"the next incremental read starts over", s.descriptor))
}

// noStateOf is what takes the earlier state of a stream away.
func (r *read) noStateOf(s *stream) sidecar.SavedState {
	r.earlier[s.key] = false
	none := sidecar.SavedState{Key: s.key, Stream: s.descriptor, State: json.RawMessage("null")}
	if s.config.Incremental {
		none.Incremental = r.incremental
	}
	return none
}

// forgetAll is forget for a state of all streams, once all rows are delivered and none of this run could be saved. The reader's.
func (r *read) forgetAll() {
	if len(r.ofAll) == 0 || r.savedAll.Load() {
		return
	}
	progress := r.loader.Progress()
	replaced := func(s *stream) bool {
		return s.whole && s.config.Mode != sidecar.Append && progress[s.index].Err == nil
	}
	if slices.ContainsFunc(r.streams, replaced) {
		r.forgetOfAll("rows are replaced and no other state of all streams could be saved")
	}
}

// forgetOfAll forgets an earlier state of all streams, which can only go as a whole: while another stream goes on from it, or is not read this time,
// it stays.
func (r *read) forgetOfAll(why string) {
	if slices.ContainsFunc(r.streams, func(s *stream) bool { return s.config.Mode == sidecar.Append }) {
		return
	}
	for _, state := range r.ofAll {
		if !r.tellsOfOthers(state) {
			r.loader.Forget(sidecar.SavedState{Key: state.Key, State: json.RawMessage("null")})
			r.logs.Info(fmt.Sprintf("%s: the %s of earlier runs is forgotten; without another one the next incremental read starts over", why, state.Key))
		}
	}
	r.ofAll = nil
}

// forgetReplaced is forgetAll as soon as all rows of one stream are replaced: a run that is killed later leaves no state that tells of the earlier
// ones. The reader's.
func (r *read) forgetReplaced(s *stream) {
	if len(r.ofAll) > 0 && s.config.Mode == sidecar.ReplaceWhole && !r.savedAll.Load() {
		r.forgetOfAll(fmt.Sprintf("the rows of stream %q are replaced", s.descriptor))
	}
}

// beginAnew forgets, with the first row of a stream whose first load replaces the table, what tells of the rows in there: a run that is killed after
// that load would leave a few rows, and a state that tells of many. A destination that commits states with rows does so by itself. The reader's.
func (r *read) beginAnew(s *stream) {
	if s.config.Mode != sidecar.ReplaceFirst || r.commits {
		return
	}
	if r.earlier[s.key] {
		r.loader.Forget(r.noStateOf(s))
	}
	if len(r.ofAll) > 0 {
		r.forgetOfAll(fmt.Sprintf("stream %q starts over", s.descriptor))
	}
}

// tellsOfOthers says that a GLOBAL state holds something for a stream that is not read this time.
func (r *read) tellsOfOthers(state sidecar.SavedState) bool {
	var global struct {
		Streams []struct {
			Stream airbyte.StreamDescriptor `json:"stream_descriptor"`
		} `json:"stream_states"`
	}
	if json.Unmarshal(state.State, &global) != nil { // a state is a black box: one of another shape tells of nothing else
		return false
	}
	for _, entry := range global.Streams {
		if !slices.ContainsFunc(r.streams, func(s *stream) bool { return s.descriptor == entry.Stream }) {
			return true
		}
	}
	return false
}
