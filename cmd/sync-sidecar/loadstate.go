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
func savedStates(ctx context.Context, env environment, s settings, catalog airbyte.ConfiguredCatalog) (_ []airbyte.State, err error) {
	if s.streams.FullSync {
		return nil, nil
	}
	logger, console := newLogs(env, s, newMasker(s))
	defer console.Close(closeTimeout)
	stores, err := openStores(ctx, s, logger, true)
	defer func() {
		if failure := errors.Join(err, stores.close(ctx, closeTimeout)); failure != nil {
			err = withCode(exitEnvironment, failure)
		}
	}()
	if err != nil {
		return nil, err
	}
	reached, err := committed(ctx, s, logger)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, specTimeout)
	defer cancel()
	saved, err := stores.journal.LoadStates(ctx)
	if err != nil {
		return nil, err
	}
	if len(saved) == 0 && len(reached) > 0 {
		logger.Warn(fmt.Sprintf("%s holds no state of sync %q: it goes on from what was committed together with its rows (FULL_SYNC starts over)",
			stores.journal, s.config.Identity.SyncID))
	}
	if len(reached) == 0 { // what is wrong with the tables is the sidecar's to say, with a verdict
		return mapping.StatesForConnector(saved, catalog)
	}
	streams, err := mapping.Streams(catalog, nil, s.streams)
	if err != nil {
		return nil, withCode(exitUsage, err)
	}
	return mapping.StatesForConnector(mapping.WithCommitted(saved, reached, streams), catalog)
}
