// Package mapping decides how each stream of a configured catalog is delivered: into which table, by which primary key, and what its loads do to the
// rows that the table holds. It also decides which saved states a connector starts from.
//
// In come the catalog, the states and the options of the sync; out go sidecar.StreamConfig and airbyte.State. The package is pure.
package mapping

import (
	"fmt"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
)

// Options are the choices of a sync that decide how its streams are delivered.
type Options struct {
	Tables TableOptions
	// FullSync reads everything anew (FULL_SYNC): an incremental stream is delivered as a full refresh, unless the connector starts from a state of it.
	FullSync bool
	// Chunked delivers a full refresh in many loads, the first of which replaces the table: for tables larger than the spool's disk. While it runs,
	// and when it fails, the table holds only a part of the rows.
	Chunked bool
}

// Streams decides how each stream of a catalog is delivered, given the states that the connector starts from. The errors are about the catalog and
// the options.
func Streams(catalog airbyte.ConfiguredCatalog, given []airbyte.State, options Options) ([]sidecar.StreamConfig, error) {
	if err := options.Tables.validate(); err != nil {
		return nil, err
	}
	resumes, keys := covered(given, catalog), stateKeys{}
	streams := make([]sidecar.StreamConfig, len(catalog.Streams))
	for i, stream := range catalog.Streams {
		if err := keys.add(stream.Stream.Descriptor()); err != nil {
			return nil, err
		}
		table, err := newTable(stream, options.Tables)
		if err != nil {
			return nil, err
		}
		streams[i] = sidecar.StreamConfig{Table: table, Mode: mode(stream, resumes[table.Stream], options),
			Incremental: stream.SyncMode == airbyte.Incremental}
	}
	return streams, nil
}

// stateKeys are the keys under which states are saved (sidecar.SavedState.Key), each with its stream.
type stateKeys map[string]airbyte.StreamDescriptor

// add refuses a stream whose states would be saved under the key of others: the next run would go on from the wrong one, and skip rows (I1).
func (k stateKeys) add(stream airbyte.StreamDescriptor) error {
	key := stream.String()
	other, taken := k[key]
	switch {
	case sidecar.OfAllStreams(key):
		return fmt.Errorf("stream %q has the name under which states of all streams are saved: leave it out", key)
	case taken && other == stream:
		return fmt.Errorf("stream %q is in the catalog twice: remove one of them", stream)
	case taken:
		return fmt.Errorf("the states of stream %q of namespace %q and of stream %q of namespace %q would both be saved as %q: read them in two syncs",
			other.Name, other.Namespace, stream.Name, stream.Namespace, key)
	}
	k[key] = stream
	return nil
}

// mode decides what loads do to the rows in the table. Where a platform sets generations, they decide: a minimum_generation_id that equals
// generation_id and is above 0 drops the rows, 0 keeps them (airbyte-platform, CatalogGenerationSetter). An incremental stream without generations
// and without a state starts over, as in Jitsu's sidecar: its first load replaces the table.
func mode(stream airbyte.ConfiguredStream, resumes bool, options Options) sidecar.Mode {
	generation, minimum := stream.GenerationID, stream.MinimumGenerationID
	generations := generation != nil && minimum != nil
	truncates := generations && *minimum == *generation && *minimum > 0
	whole := sidecar.ReplaceWhole
	if options.Chunked {
		whole = sidecar.ReplaceFirst
	}
	switch {
	case stream.SyncMode == airbyte.Incremental && options.FullSync && !resumes:
		return whole
	case stream.SyncMode == airbyte.Incremental && !resumes && (!generations || truncates):
		return sidecar.ReplaceFirst
	case stream.SyncMode != airbyte.Incremental && (truncates || stream.DestinationSyncMode == airbyte.Overwrite):
		return whole
	default:
		return sidecar.Append
	}
}
