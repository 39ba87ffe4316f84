package runner

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/xrash/smetrics"

	"sync-sidecar/sidecar/airbyte"
)

// Selection is what of a discovered catalog to read.
type Selection struct {
	// Streams are names, or <namespace>.<name>; empty takes all.
	Streams []string
	// FullRefresh reads everything again and replaces what is there, where the connector can.
	FullRefresh bool
	// CatalogAge is how long streams that were discovered are used; Discover asks for them again.
	CatalogAge time.Duration
	Discover   bool
}

// Configure makes the configured catalog that read needs out of a discovered one. A stream is read incrementally when the connector can and a cursor
// is known (append_dedup with a key of the connector's, else append), and whole otherwise (overwrite). The notes name the streams for which the
// catalog allows neither.
func Configure(catalog json.RawMessage, selection Selection) (encoded json.RawMessage, notes []string, err error) {
	var discovered airbyte.Catalog
	if err := json.Unmarshal(catalog, &discovered); err != nil {
		return nil, nil, fmt.Errorf("read the discovered catalog: %w", err)
	}
	streams, err := selectStreams(discovered.Streams, selection.Streams)
	if err != nil {
		return nil, nil, err
	}
	if len(streams) == 0 {
		return nil, nil, errors.New("the connector discovered no streams: check its configuration and its account's rights")
	}
	configured := airbyte.ConfiguredCatalog{}
	for _, stream := range streams {
		mode, note := syncMode(stream, selection.FullRefresh)
		if note != "" {
			notes = append(notes, fmt.Sprintf("stream %q: %s", stream.Descriptor(), note))
		}
		configured.Streams = append(configured.Streams, configureStream(stream, mode))
	}
	encoded, err = json.Marshal(configured)
	if err != nil {
		return nil, nil, fmt.Errorf("write the configured catalog: %w", err)
	}
	return encoded, notes, nil
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
			"if the connector needs one, write its cursor_field into a catalog (--catalog)"
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

// FilterConfigured keeps the named streams of a configured catalog, raw as they are; no names keep all.
func FilterConfigured(catalog json.RawMessage, names []string) (json.RawMessage, error) {
	if len(names) == 0 {
		return catalog, nil
	}
	var raw struct {
		Streams []json.RawMessage `json:"streams"`
	}
	var configured airbyte.ConfiguredCatalog
	if err := errors.Join(json.Unmarshal(catalog, &raw), json.Unmarshal(catalog, &configured)); err != nil {
		return nil, fmt.Errorf("read the catalog: %w", err)
	}
	streams := make([]airbyte.Stream, len(configured.Streams))
	for i, stream := range configured.Streams {
		streams[i] = stream.Stream
	}
	selected, err := selectStreams(streams, names)
	if err != nil {
		return nil, err
	}
	kept := make([]json.RawMessage, 0, len(selected))
	for i, stream := range streams {
		if slices.ContainsFunc(selected, func(s airbyte.Stream) bool { return s.Descriptor() == stream.Descriptor() }) {
			kept = append(kept, raw.Streams[i])
		}
	}
	encoded, err := json.Marshal(map[string]any{"streams": kept})
	if err != nil {
		return nil, fmt.Errorf("write the catalog: %w", err)
	}
	return encoded, nil
}

// selectStreams keeps the streams that were asked for, in the order of the catalog. An unknown name is an error that suggests what was meant.
func selectStreams(streams []airbyte.Stream, names []string) ([]airbyte.Stream, error) {
	if len(names) == 0 {
		return streams, nil
	}
	for _, name := range names {
		if !slices.ContainsFunc(streams, func(s airbyte.Stream) bool { return isNamed(s, name) }) {
			return nil, fmt.Errorf("--streams: the connector has no stream %q; %s", name, suggest(streams, name))
		}
	}
	var selected []airbyte.Stream
	for _, stream := range streams {
		if slices.ContainsFunc(names, func(name string) bool { return isNamed(stream, name) }) {
			selected = append(selected, stream)
		}
	}
	return selected, nil
}

func isNamed(stream airbyte.Stream, name string) bool {
	return name == stream.Name || name == stream.Descriptor().String()
}

const (
	suggestions = 5
	// alike is the least Jaro-Winkler similarity (0 to 1) of a name worth suggesting.
	alike = 0.75
)

// suggest names the streams most like name, or the first few when none is.
func suggest(streams []airbyte.Stream, name string) string {
	type candidate struct {
		name       string
		similarity float64
	}
	candidates := make([]candidate, 0, len(streams))
	for _, stream := range streams {
		similarity := smetrics.JaroWinkler(strings.ToLower(stream.Name), strings.ToLower(name), 0.7, 4)
		candidates = append(candidates, candidate{stream.Descriptor().String(), similarity})
	}
	slices.SortStableFunc(candidates, func(a, b candidate) int { return cmp.Compare(b.similarity, a.similarity) })
	word := "did you mean "
	if len(candidates) == 0 {
		return "it has none at all"
	}
	if candidates[0].similarity < alike {
		word = "it has "
	}
	var names []string
	for _, c := range candidates {
		if len(names) < suggestions && (candidates[0].similarity < alike || c.similarity >= alike) {
			names = append(names, fmt.Sprintf("%q", c.name))
		}
	}
	return word + strings.Join(names, ", ")
}
