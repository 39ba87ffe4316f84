package sidecar

import (
	"fmt"

	"sync-sidecar/sidecar/airbyte"
)

// StreamOptions are the choices of a sync that decide how its streams are delivered.
type StreamOptions struct {
	Tables TableOptions
	// FullSync reads everything anew (FULL_SYNC): an incremental stream is delivered as a full refresh, unless its source starts from a state.
	FullSync bool
	// Chunked delivers a full refresh in many loads, the first of which replaces the table: for tables larger than the spool's disk. While it
	// runs, and after it failed, the table holds a part of the rows only.
	Chunked bool
}

// NewStreams decides how each stream of a catalog is delivered, given the states that the source starts from.
func NewStreams(catalog airbyte.ConfiguredCatalog, given []airbyte.State, options StreamOptions) ([]StreamConfig, error) {
	tables, err := NewTables(catalog, options.Tables)
	if err != nil {
		return nil, err
	}
	if err := distinctKeys(catalog); err != nil {
		return nil, err
	}
	resumes := covered(given, catalog)
	streams := make([]StreamConfig, len(catalog.Streams))
	for i, stream := range catalog.Streams {
		streams[i] = deliver(stream, resumes[stream.Stream.Descriptor()], options)
		streams[i].Table = tables[stream.Stream.Descriptor()]
	}
	return streams, nil
}

// distinctKeys refuses two streams whose states would be kept under one key, "<namespace>.<name>": one would go on from the other's.
func distinctKeys(catalog airbyte.ConfiguredCatalog) error {
	owners := map[string]airbyte.StreamDescriptor{}
	for _, stream := range catalog.Streams {
		descriptor := stream.Stream.Descriptor()
		if owner, taken := owners[descriptor.String()]; taken {
			return fmt.Errorf("stream %q of namespace %q and stream %q of namespace %q would share the state %q: read them in two syncs",
				owner.Name, owner.Namespace, descriptor.Name, descriptor.Namespace, descriptor)
		}
		owners[descriptor.String()] = descriptor
	}
	return nil
}

// deliver decides for one stream. Generations carry the meaning of a refresh where a platform gives them: minimum_generation_id equal to
// generation_id and above 0 drops what was there, 0 keeps it (airbyte-platform, CatalogGenerationSetter). An incremental stream without them and
// without a state starts over, as in Jitsu's sidecar: its first load replaces the table.
func deliver(stream airbyte.ConfiguredStream, resumes bool, options StreamOptions) StreamConfig {
	generation, minimum := stream.GenerationID, stream.MinimumGenerationID
	generations := generation != nil && minimum != nil
	truncates := generations && *minimum == *generation && *minimum > 0
	config := StreamConfig{}
	switch {
	case stream.SyncMode == airbyte.Incremental && options.FullSync && !resumes:
		config.Whole = true
	case stream.SyncMode == airbyte.Incremental:
		config.ReplaceFirst = !resumes && (!generations || truncates)
	default:
		config.Whole = truncates || stream.DestinationSyncMode == airbyte.Overwrite
	}
	if config.Whole && options.Chunked {
		config.Whole, config.ReplaceFirst = false, true
	}
	return config
}
