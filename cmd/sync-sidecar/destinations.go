package main

import (
	"context"
	"errors"
	"fmt"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/bulker"
	"sync-sidecar/sidecar/logs"
	pgdest "sync-sidecar/sidecar/postgres/destination"
	"sync-sidecar/sidecar/session"
)

// server is a Destination that takes the rows of a read in place of the local folder.
type server interface {
	sidecar.Destination
	// Ready says whether it can take rows. session.Await asks again until STARTUP_TIMEOUT while sidecar.CanPass says of the error that this may help.
	Ready(ctx context.Context) error
}

// destination is a place for the rows of a read. Its zero value is the local folder.
type destination struct {
	name     string // in messages
	variable string // the setting that chooses it, of a marked flag
	// open makes its client, which connects to nothing yet. end ends what the client holds open, until ctx ends at the latest.
	open        func(s settings) (client server, end func(ctx context.Context), err error)
	hint        error  // what Ready returns for a suspicion that must not keep the read from beginning: loads tell; may be nil
	needsSyncID string // why SYNC_ID must be set; empty when it need not be
	journal     bool   // it keeps results, state and status, too, where DATABASE_URL is not set
}

// destinations are all that rows can go to, beside the local folder.
func destinations() []destination { return []destination{bulkerDestination(), postgresDestination()} }

func bulkerDestination() destination {
	return destination{name: "Bulker", variable: "BULKER_URL", hint: bulker.ErrNotReady, needsSyncID: "it names the destination at Bulker",
		open: func(s settings) (server, func(context.Context), error) {
			client, err := bulker.New(bulkerOptions(s))
			if err != nil {
				return nil, nil, err
			}
			return client, func(context.Context) { client.Close() }, nil
		}}
}

func postgresDestination() destination {
	return destination{name: "Postgres", variable: "DESTINATION_URL", needsSyncID: "the position of the rows is kept under it", journal: true,
		open: func(s settings) (server, func(context.Context), error) {
			s.tables.Announce = s.journal.Setting != s.tables.Setting // see keepJournalWithRows
			client, err := pgdest.New(s.tables)
			if err != nil {
				return nil, nil, err
			}
			return client, client.Close, nil
		}}
}

// isFolder says that the rows go to the local folder.
func (d destination) isFolder() bool { return d.open == nil }

// chooseDestination is the one of the known destinations that the settings, by variable, choose: the local folder when they choose none. Two are an
// error.
func chooseDestination(known []destination, settings map[string]string) (destination, error) {
	var chosen destination
	for _, candidate := range known {
		switch {
		case settings[candidate.variable] == "":
		case chosen.isFolder():
			chosen = candidate
		default:
			return chosen, fmt.Errorf("%s and %s are both set: rows go to one place, which one is meant?", chosen.variable, candidate.variable)
		}
	}
	return chosen, nil
}

// openServer opens the destination that the settings choose, and waits until it can take rows.
func (o *stores) openServer(ctx context.Context, s settings, logger *logs.Logger) error {
	client, end, err := s.rows.open(s)
	if err != nil {
		return fmt.Errorf("set up %s: %w", s.rows.name, err)
	}
	o.destination = client
	o.closers = append(o.closers, end)
	o.mirror()
	err = session.Await(ctx, s.startup, logger, sidecar.CanPass, client.Ready)
	if s.rows.hint != nil && errors.Is(err, s.rows.hint) {
		logger.Warn(fmt.Sprintf("%v; going on all the same", err))
		return nil
	}
	return err
}

// mirror lets a destination that has to know the states see what the journal holds.
func (o *stores) mirror() {
	if mirrorer, ok := o.destination.(sidecar.Mirrorer); ok {
		o.journal = mirrorer.Mirror(o.journal)
	}
}
