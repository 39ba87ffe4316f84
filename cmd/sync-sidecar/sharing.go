package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"sync-sidecar/runner"
	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
	"sync-sidecar/sidecar/document"
	"sync-sidecar/sidecar/logs"
)

// mostShards is far more than make sense: each shard is a Pod, and each reads all rows of the tasks of the others when it ends.
const mostShards = 1000

// readShard reads which shard this is, and gives it a task of its own.
func readShard(c *cli.Context, p *problems, id *sidecar.Identity) {
	count, index := c.Int("shards"), c.Int("shard")
	switch {
	case count < 0 || count > mostShards:
		p.add("SHARDS", "%d is not between 1 and %d", count, mostShards)
		return
	case count < 2:
		return
	case index < 0 || index >= count:
		p.add("SHARD", "%d is not one of the %d that SHARDS says, which are counted from 0", index, count)
	case c.String("task-id") == "":
		p.add("TASK_ID", "is needed with SHARDS, the same for all of them: they find each other by it")
	case c.String("sync-id") == "":
		p.add("SYNC_ID", "is needed with SHARDS: the states are kept under it")
	}
	id.Shard = sidecar.Shard{Task: id.TaskID, Index: index, Count: count}
	id.TaskID = id.Shard.TaskID()
}

// checkShard says what a read that is shared out lacks. What DESTINATION_CONFIG_FILE says is known by now.
func (s settings) checkShard() error {
	switch {
	case !s.config.Identity.Shard.Active() || s.config.Command != sidecar.CommandRead:
		return nil
	case s.journal.URL == "":
		return errors.New("SHARDS: the shards agree by Postgres on who reads what: set DATABASE_URL, or DESTINATION_URL; a local folder is one process's")
	case s.rows.isFolder():
		return errors.New("SHARDS: rows would go to the local folder, which is one process's: set DESTINATION_URL or BULKER_URL")
	}
	return nil
}

// takeShare leaves in CATALOG_FILE, and in STATE_FILE where there is one, what this shard reads.
func takeShare(c *cli.Context, env environment) error {
	s, err := readSettings(c, env, sidecar.CommandRead)
	switch {
	case err != nil:
		return withCode(exitUsage, err)
	case !s.config.Identity.Shard.Active():
		return nil
	}
	if err := errors.Join(s.readDestinationConfig(), s.checkShard()); err != nil {
		return withCode(exitUsage, err)
	}
	catalog, err := readCatalog(s)
	if err != nil {
		return withCode(codeOr(err, exitUsage), err)
	}
	content, err := document.Read(s.catalog)
	if err != nil {
		return withCode(exitUsage, fmt.Errorf("CATALOG_FILE: %w", err))
	}
	logger, console := newLogs(env, s, newMasker(s))
	defer console.Close(closeTimeout)
	mine, err := agree(c.Context, s, catalog, logger)
	if err != nil {
		return maskedError(newMasker(s), err)
	}
	kept, err := runner.KeepStreams(content, func(stream airbyte.StreamDescriptor) bool { return mine[stream.String()] })
	if err != nil {
		return withCode(exitUsage, fmt.Errorf("CATALOG_FILE: %w", err))
	}
	if err := writeConnectorFile(s.catalog, kept); err != nil {
		return withCode(exitEnvironment, fmt.Errorf("write CATALOG_FILE: %w", err))
	}
	return keepStates(s, mine)
}

// agree asks the journal which streams are this shard's, by their names.
func agree(ctx context.Context, s settings, catalog airbyte.ConfiguredCatalog, logger *logs.Logger) (mine map[string]bool, err error) {
	err = withKept(ctx, s, logger, func(ctx context.Context, kept keptStates) error {
		sharer, able := kept.journal.(sidecar.Sharer)
		if !able {
			return withCode(exitUsage, fmt.Errorf("%s cannot share streams out", kept.journal))
		}
		if err := checkShareable(append(kept.saved, kept.committed...)); err != nil {
			return withCode(exitUsage, fmt.Errorf("sync %q: %w", s.config.Identity.SyncID, err))
		}
		var streams []string
		for _, stream := range catalog.Streams {
			streams = append(streams, stream.Stream.Descriptor().String())
		}
		shards, err := sharer.Share(ctx, slices.Clone(streams))
		if err != nil {
			return err
		}
		mine = shareOf(s.config.Identity.Shard, streams, shards, logger)
		return nil
	})
	return mine, err
}

// shareOf are the streams of one shard. What does not go with the plan is said.
func shareOf(shard sidecar.Shard, streams []string, shards map[string]int, logger *logs.Logger) map[string]bool {
	mine := map[string]bool{}
	var names, late []string
	for _, stream := range streams {
		index, planned := shards[stream]
		switch {
		case !planned:
			late = append(late, stream)
		case index == shard.Index:
			mine[stream] = true
			names = append(names, stream)
		}
	}
	logger.Info(fmt.Sprintf("%s of task %q reads %d of %d streams: %s", shard, shard.Task, len(names), len(shards), strings.Join(names, ", ")))
	if len(late) > 0 {
		logger.Warn(fmt.Sprintf("streams that the connector did not name to the first shard are read by the next run: %s", strings.Join(late, ", ")))
	}
	return mine
}

// checkShareable refuses states that are of all streams.
func checkShareable(states []sidecar.SavedState) error {
	for _, state := range states {
		if sidecar.OfAllStreams(state.Key) && !sidecar.IsNullState(state.State) {
			kind := strings.TrimSuffix(strings.TrimPrefix(state.Key, "_"), "_STATE")
			return fmt.Errorf("its connector keeps one state for all streams (%s), so that they cannot be shared out: run without --shards", kind)
		}
	}
	return nil
}

// keepStates leaves the states of these streams in the state file that the user gave.
func keepStates(s settings, mine map[string]bool) error {
	content, err := document.Read(s.stateFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var states []airbyte.State
	if err == nil {
		states, err = airbyte.ParseStateFile(content)
	}
	if err != nil {
		return withCode(exitUsage, fmt.Errorf("STATE_FILE: %w", err))
	}
	if err := shareable("STATE_FILE", states); err != nil {
		return withCode(exitUsage, err)
	}
	kept := slices.DeleteFunc(slices.Clone(states), func(state airbyte.State) bool { return !mine[state.Stream.String()] })
	switch content, err = airbyte.FormatStateFile(kept); {
	case err != nil:
	case len(kept) == 0: // a connector takes an empty state for a broken one
		err = os.Remove(s.stateFile)
	case len(kept) < len(states):
		err = writeConnectorFile(s.stateFile, content)
	}
	if err != nil {
		return withCode(exitEnvironment, fmt.Errorf("write STATE_FILE: %w", err))
	}
	return nil
}

// checkSharedState refuses a state file that shards cannot take their parts of.
func checkSharedState(shards int, content []byte) error {
	if shards < 2 || content == nil {
		return nil
	}
	states, err := airbyte.ParseStateFile(content)
	if err != nil {
		return nil //nolint:nilerr // what reads the file has said so
	}
	return shareable("--state", states)
}

// shareable refuses states that are of all streams.
func shareable(name string, states []airbyte.State) error {
	for _, state := range states {
		if state.Type != airbyte.StateStream {
			return fmt.Errorf("%s: a %s state is of all streams, so that they cannot be shared out: run without --shards", name, state.Type)
		}
	}
	return nil
}
