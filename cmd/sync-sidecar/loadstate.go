package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/urfave/cli/v2"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
	"sync-sidecar/sidecar/logs"
	"sync-sidecar/sidecar/mapping"
)

// loadState writes the state file that the connector starts from, from what the journal has saved for the sync. When nothing is saved, and with
// FULL_SYNC, it removes that file, and `exec` leaves --state out.
func loadState(c *cli.Context, env environment) error {
	s, err := readSettings(c, env, sidecar.CommandRead)
	if err != nil {
		return withCode(exitUsage, err)
	}
	if err := s.readDestinationConfig(); err != nil {
		return withCode(exitUsage, err)
	}
	catalog, err := readCatalog(s)
	if err != nil {
		return withCode(codeOr(err, exitUsage), err)
	}
	states, err := savedStates(c.Context, env, s, catalog)
	if err != nil {
		return maskedError(newMasker(s), err)
	}
	if len(states) == 0 {
		if err := os.Remove(s.stateFile); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return withCode(exitEnvironment, fmt.Errorf("remove the state file of an earlier run: %w", err))
		}
		return nil
	}
	content, err := airbyte.FormatStateFile(states)
	if err != nil {
		return withCode(exitEnvironment, fmt.Errorf("saved state: %w", err))
	}
	// For every user to read and rewrite: the connector runs as a user of its own.
	if err := writeConnectorFile(s.stateFile, content); err != nil {
		return withCode(exitEnvironment, fmt.Errorf("write STATE_FILE: %w", err))
	}
	return nil
}

// savedStates are the states that the next read starts from.
func savedStates(ctx context.Context, env environment, s settings, catalog airbyte.ConfiguredCatalog) (states []airbyte.State, err error) {
	if s.streams.FullSync {
		return nil, nil
	}
	logger, console := newLogs(env, s, newMasker(s))
	defer console.Close(closeTimeout)
	err = withKept(ctx, s, logger, func(_ context.Context, kept keptStates) error {
		states, err = kept.forConnector(s, catalog, logger)
		return err
	})
	return states, err
}

// keptStates are what an earlier run left: in the journal, and together with its rows where the destination commits both.
type keptStates struct {
	journal   sidecar.Journal
	saved     []sidecar.SavedState // in the journal
	committed []sidecar.SavedState // with the rows
}

// withKept reads the kept states, and uses them while the journal is open, within the time that is given for a question to it. An error has the exit
// code of a server that cannot be used, unless it has one.
func withKept(ctx context.Context, s settings, logger *logs.Logger, use func(context.Context, keptStates) error) (err error) {
	stores, err := openStores(ctx, s, logger, true)
	defer func() {
		if failure := errors.Join(err, stores.close(ctx, closeTimeout)); failure != nil {
			err = withCode(codeOr(failure, exitEnvironment), failure)
		}
	}()
	if err != nil {
		return err
	}
	kept := keptStates{journal: stores.journal}
	if kept.committed, err = committed(ctx, s, logger); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, specTimeout)
	defer cancel()
	if kept.saved, err = stores.journal.LoadStates(ctx); err != nil {
		return err
	}
	return use(ctx, kept)
}

// forConnector are the states in the connector's own words.
func (k keptStates) forConnector(s settings, catalog airbyte.ConfiguredCatalog, logger *logs.Logger) ([]airbyte.State, error) {
	if len(k.saved) == 0 && len(k.committed) > 0 {
		logger.Warn(fmt.Sprintf("%s holds no state of sync %q: it goes on from what was committed together with its rows (FULL_SYNC starts over)",
			k.journal, s.config.Identity.SyncID))
	}
	if len(k.committed) == 0 { // what is wrong with the tables is the sidecar's to say, with a verdict
		return mapping.StatesForConnector(k.saved, catalog)
	}
	streams, err := mapping.Streams(catalog, nil, s.streams)
	if err != nil {
		return nil, withCode(exitUsage, err)
	}
	return mapping.StatesForConnector(mapping.WithCommitted(k.saved, k.committed, streams), catalog)
}
