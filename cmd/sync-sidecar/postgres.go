package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/document"
	"sync-sidecar/sidecar/logs"
	"sync-sidecar/sidecar/postgres"
	pgdest "sync-sidecar/sidecar/postgres/destination"
	"sync-sidecar/sidecar/secret"
	"sync-sidecar/sidecar/session"
)

// connectionsFor is how many connections loads need: batches and replacements of whole tables have so many places each, and two look after them.
func connectionsFor(concurrency int) int { return 2*concurrency + 2 }

// keepJournalWithRows makes the Postgres that takes the rows keep results, state and status too, where nothing else is set for them.
func (s *settings) keepJournalWithRows() {
	if s.tables.URL != "" && s.journal.URL == "" {
		s.journal = postgres.Options{URL: s.tables.URL, Setting: s.tables.Setting, Schema: s.tables.Schema, Trust: s.tables.Trust,
			Identity: s.config.Identity}
	}
}

// readDestinationConfig takes the destination from DESTINATION_CONFIG_FILE, which Jitsu's sync-controller puts beside the connector's configuration,
// where the settings choose none.
func (s *settings) readDestinationConfig() error {
	if s.config.Command != sidecar.CommandRead || !s.rows.isFolder() {
		return nil
	}
	content, err := document.Read(s.rowsFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("DESTINATION_CONFIG_FILE: %w", err)
	}
	read, err := pgdest.ParseConfig("DESTINATION_CONFIG_FILE "+s.rowsFile, content)
	if err != nil {
		return err
	}
	if s.config.Identity.SyncID == "" {
		return errors.New("SYNC_ID: is needed with DESTINATION_CONFIG_FILE: the position of the rows is kept under it")
	}
	read.Schema, read.Identity, read.LoadTimeout = s.tables.Schema, s.tables.Identity, s.tables.LoadTimeout
	read.ToSameCase, read.KeepDuplicates, read.Connections = s.tables.ToSameCase, s.tables.KeepDuplicates, s.tables.Connections
	s.tables, s.rows = read, postgresDestination()
	s.passwords = append(s.passwords, secret.FromDSN(read.URL)...)
	if read.Key != "" {
		s.passwords = append(s.passwords, read.Key)
	}
	s.keepJournalWithRows()
	return nil
}

// committed are the states that the destination has committed together with rows; none where it does not do that.
func committed(ctx context.Context, s settings, logger *logs.Logger) (states []sidecar.SavedState, err error) {
	if s.rows.isFolder() {
		return nil, nil
	}
	client, end, err := s.rows.open(s)
	if err != nil {
		return nil, fmt.Errorf("set up %s: %w", s.rows.name, err)
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
		defer cancel()
		end(closing)
	}()
	committer, ok := client.(sidecar.Committer)
	if !ok {
		return nil, nil
	}
	err = session.Await(ctx, s.startup, logger, sidecar.CanPass, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, specTimeout)
		defer cancel()
		var err error
		states, err = committer.Committed(ctx)
		return err
	})
	return states, err
}
