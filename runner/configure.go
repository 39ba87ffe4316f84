package runner

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"sync-sidecar/sidecar/airbyte"
)

// Configure makes the configured catalog that read needs out of a discovered one. A stream is read as the selection says, else incrementally when the
// connector can and a cursor is known (append_dedup with a key, else append), and whole otherwise (overwrite). The notes name the streams for which
// the catalog allows neither. What cannot be as the selection says is an error, all of it at once.
//
// Each stream stays as the connector sent it: it may have members that we do not know, and need those that are empty.
func Configure(catalog json.RawMessage, selection Selection) (encoded json.RawMessage, notes []string, err error) {
	var sent struct {
		Streams []json.RawMessage `json:"streams"`
	}
	var discovered airbyte.Catalog
	if err := errors.Join(json.Unmarshal(catalog, &discovered), json.Unmarshal(catalog, &sent)); err != nil {
		return nil, nil, fmt.Errorf("read the discovered catalog: %w", err)
	}
	streams, err := selection.selectStreams(discovered.Streams)
	if err != nil {
		return nil, nil, err
	}
	if len(streams) == 0 {
		return nil, nil, errors.New("the connector discovered no streams: check its configuration and its account's rights")
	}
	var configured []configuredAsSent
	var problems []error
	times := map[airbyte.StreamDescriptor]int{}
	for i, stream := range discovered.Streams {
		if !contains(streams, stream.Descriptor()) {
			continue
		}
		times[stream.Descriptor()]++
		if times[stream.Descriptor()] == 2 {
			notes = append(notes, fmt.Sprintf("stream %q: the connector's catalog has it more than once: the first entry is taken", stream.Descriptor()))
		}
		if times[stream.Descriptor()] > 1 {
			continue
		}
		mode, note := syncMode(stream, selection.FullRefresh)
		one := configureStream(stream, mode)
		changed, more, err := selection.apply(&one)
		if problems = append(problems, err); note != "" && !changed {
			more = append(more, note)
		}
		for _, note := range more {
			notes = append(notes, fmt.Sprintf("stream %q: %s", stream.Descriptor(), note))
		}
		configured = append(configured, configuredAsSent{ConfiguredStream: one, Stream: sent.Streams[i]})
	}
	if err := errors.Join(problems...); err != nil {
		return nil, nil, err
	}
	encoded, err = json.Marshal(map[string]any{"streams": configured})
	if err != nil {
		return nil, nil, fmt.Errorf("write the configured catalog: %w", err)
	}
	return encoded, notes, nil
}

// configuredAsSent is a configured stream with the stream itself as the connector sent it.
type configuredAsSent struct {
	airbyte.ConfiguredStream
	Stream json.RawMessage `json:"stream"`
}

func contains(streams []airbyte.Stream, named airbyte.StreamDescriptor) bool {
	return slices.ContainsFunc(streams, func(stream airbyte.Stream) bool { return stream.Descriptor() == named })
}

// syncMode chooses how to read a stream among what its catalog entry allows; a note says what could not be as it should.
func syncMode(stream airbyte.Stream, fullRefresh bool) (mode airbyte.SyncMode, note string) {
	full := len(stream.SupportedSyncModes) == 0 || slices.Contains(stream.SupportedSyncModes, airbyte.FullRefresh)
	incremental := slices.Contains(stream.SupportedSyncModes, airbyte.Incremental)
	cursor := stream.SourceDefinedCursor || len(stream.DefaultCursorField) > 0
	switch {
	case full && (fullRefresh || !incremental || !cursor):
		return airbyte.FullRefresh, ""
	case incremental && cursor:
		return airbyte.Incremental, ""
	case incremental:
		return airbyte.Incremental, "it can only be read incrementally, and discover names no cursor for it: it is read without one; " +
			"if the connector needs one, name it (--cursor)"
	default:
		return airbyte.FullRefresh, fmt.Sprintf("it supports only %q, which no version of the protocol knows: it is read as a full refresh",
			stream.SupportedSyncModes)
	}
}

func configureStream(stream airbyte.Stream, mode airbyte.SyncMode) airbyte.ConfiguredStream {
	configured := airbyte.ConfiguredStream{Stream: stream, SyncMode: mode, DestinationSyncMode: airbyte.Overwrite}
	configured.PrimaryKey = stream.SourceDefinedPrimaryKey
	if mode == airbyte.FullRefresh {
		return configured
	}
	configured.DestinationSyncMode, configured.CursorField = airbyte.Append, stream.DefaultCursorField
	if len(stream.SourceDefinedPrimaryKey) > 0 {
		configured.DestinationSyncMode = airbyte.AppendDedup
	}
	return configured
}

// FilterConfigured keeps of a configured catalog the streams that are selected, raw as they are but for what the selection wants otherwise.
func FilterConfigured(catalog json.RawMessage, selection Selection) (json.RawMessage, []string, error) {
	if len(selection.Streams) == 0 && !selection.chooses() {
		return catalog, nil, nil
	}
	var raw struct {
		Streams []json.RawMessage `json:"streams"`
	}
	var configured airbyte.ConfiguredCatalog
	if err := errors.Join(json.Unmarshal(catalog, &raw), json.Unmarshal(catalog, &configured)); err != nil {
		return nil, nil, fmt.Errorf("read the catalog: %w", err)
	}
	streams := make([]airbyte.Stream, len(configured.Streams))
	for i, stream := range configured.Streams {
		streams[i] = stream.Stream
	}
	selected, err := selection.selectStreams(streams)
	if err != nil {
		return nil, nil, err
	}
	var notes []string
	var problems []error
	kept := make([]json.RawMessage, 0, len(selected))
	for i, stream := range configured.Streams {
		if !contains(selected, stream.Stream.Descriptor()) {
			continue
		}
		changed, more, err := selection.apply(&stream)
		if changed && err == nil {
			raw.Streams[i], err = overwrite(raw.Streams[i], stream)
		}
		problems = append(problems, err)
		for _, note := range more {
			notes = append(notes, fmt.Sprintf("stream %q: %s", stream.Stream.Descriptor(), note))
		}
		kept = append(kept, raw.Streams[i])
	}
	if err := errors.Join(problems...); err != nil {
		return nil, nil, err
	}
	encoded, err := json.Marshal(map[string]any{"streams": kept})
	if err != nil {
		return nil, nil, fmt.Errorf("write the catalog: %w", err)
	}
	return encoded, notes, nil
}

// overwrite writes what a selection can change of a stream over the members of its entry.
func overwrite(entry json.RawMessage, stream airbyte.ConfiguredStream) (json.RawMessage, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(entry, &members); err != nil {
		return nil, fmt.Errorf("read the catalog: %w", err)
	}
	for name, value := range map[string]any{"sync_mode": stream.SyncMode, "destination_sync_mode": stream.DestinationSyncMode,
		"cursor_field": stream.CursorField, "primary_key": stream.PrimaryKey} {
		text, err := json.Marshal(value)
		if err != nil {
			return nil, fmt.Errorf("write the catalog: %w", err)
		}
		if members[name] = text; string(text) == "null" {
			delete(members, name)
		}
	}
	return json.Marshal(members)
}

// KeepStreams keeps of a configured catalog the entries of some streams, raw as they are. There may be none left.
func KeepStreams(catalog json.RawMessage, keep func(airbyte.StreamDescriptor) bool) (json.RawMessage, error) {
	var raw struct {
		Streams []json.RawMessage `json:"streams"`
	}
	if err := json.Unmarshal(catalog, &raw); err != nil {
		return nil, fmt.Errorf("read the catalog: %w", err)
	}
	kept := make([]json.RawMessage, 0, len(raw.Streams))
	for _, entry := range raw.Streams {
		var configured airbyte.ConfiguredStream
		if err := json.Unmarshal(entry, &configured); err != nil {
			return nil, fmt.Errorf("read the catalog: %w", err)
		}
		if keep(configured.Stream.Descriptor()) {
			kept = append(kept, entry)
		}
	}
	encoded, err := json.Marshal(map[string]any{"streams": kept})
	if err != nil {
		return nil, fmt.Errorf("write the catalog: %w", err)
	}
	return encoded, nil
}
