package session

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
	"sync-sidecar/sidecar/canonical"
	"sync-sidecar/sidecar/mapping"
	"sync-sidecar/sidecar/recorder"
)

// checkPosition compares the states that the connector was given with those that the destination has committed together with the rows. They differ
// when the run before was killed after a commit, and whoever started this one gave the connector what the journal held. The connector then brings
// rows again: those with a primary key are merged, others would be there twice, so that such a read fails here. The journal is corrected first: the
// next run starts right. An error comes with its exit code.
func checkPosition(ctx context.Context, parts Parts, committer sidecar.Committer, inputs Inputs, streams []sidecar.StreamConfig) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, recorder.Timeout)
	defer cancel()
	committed, err := committer.Committed(ctx)
	if err != nil {
		return sidecar.ExitEnvironment, err
	}
	stale, err := staleStreams(mapping.GivenStates(inputs.States), committed, inputs.Catalog, streams)
	switch {
	case err != nil:
		return sidecar.ExitEnvironment, fmt.Errorf("compare the states of the connector with those of %s: %w", committer, err)
	case len(stale) == 0:
		return sidecar.ExitOK, nil
	}
	var doubled []string
	for _, stream := range stale {
		if len(stream.Table.PrimaryKey) == 0 || committer.Capabilities().KeepsDuplicates {
			doubled = append(doubled, fmt.Sprintf("%q", stream.Table.Stream))
		}
	}
	if len(doubled) == 0 {
		parts.Logs.Warn(fmt.Sprintf("the connector was given older states than %s has committed: it brings rows again, which are merged by their "+
			"primary keys", committer))
		return sidecar.ExitOK, nil
	}
	if err := parts.Journal.SaveStates(ctx, mapping.OfIncremental(ofStreams(committed, streams), streams)); err != nil {
		return sidecar.ExitEnvironment, fmt.Errorf("the saved states are older than what %s has committed, and could not be corrected: %w", committer, err)
	}
	return sidecar.ExitFailed, fmt.Errorf("the connector was given older states than %s has committed, and rows of %s, which have no primary key, "+
		"would be there twice: the saved states are corrected now, run the sync again", committer, strings.Join(doubled, ", "))
}

// ofStreams are the states of these streams, and those of all: what other shards commit is theirs to save.
func ofStreams(states []sidecar.SavedState, streams []sidecar.StreamConfig) []sidecar.SavedState {
	return slices.DeleteFunc(slices.Clone(states), func(state sidecar.SavedState) bool {
		return !sidecar.OfAllStreams(state.Key) &&
			!slices.ContainsFunc(streams, func(stream sidecar.StreamConfig) bool { return stream.Table.Stream.String() == state.Key })
	})
}

// staleStreams are the streams that go on from another state than the committed one. A stream that was given none starts over, which doubles nothing;
// neither does one of which nothing is committed.
func staleStreams(given, committed []sidecar.SavedState, catalog airbyte.ConfiguredCatalog, streams []sidecar.StreamConfig,
) ([]sidecar.StreamConfig, error) {
	were, err := contents(given, catalog)
	if err != nil {
		return nil, err
	}
	are, err := contents(committed, catalog)
	if err != nil {
		return nil, err
	}
	var stale []sidecar.StreamConfig
	for _, stream := range streams {
		was, is := were.of(stream.Table.Stream), are.of(stream.Table.Stream)
		if stream.Incremental && stream.Mode == sidecar.Append && was != "" && is != "" && was != is {
			stale = append(stale, stream)
		}
	}
	return stale, nil
}

// stateContents are what states say, in one spelling: of streams, and of all of them.
type stateContents struct {
	streams map[airbyte.StreamDescriptor]string
	all     string
}

// of is what is said of a stream; empty when nothing is.
func (c stateContents) of(stream airbyte.StreamDescriptor) string {
	if said := c.streams[stream]; said != "" {
		return said
	}
	return c.all
}

// contents of states, without what no connector would be given of them.
func contents(states []sidecar.SavedState, catalog airbyte.ConfiguredCatalog) (stateContents, error) {
	said := stateContents{streams: map[airbyte.StreamDescriptor]string{}}
	usable, err := mapping.StatesForConnector(states, catalog)
	if err != nil {
		return said, err
	}
	for _, state := range mapping.GivenStates(usable) {
		spelling, err := canonical.JSON(state.State)
		if err != nil {
			return said, fmt.Errorf("state %s: %w", state.Key, err)
		}
		if sidecar.OfAllStreams(state.Key) {
			said.all = string(spelling)
		} else {
			said.streams[state.Stream] = string(spelling)
		}
	}
	return said, nil
}
