package main

import (
	"context"
	"errors"
	"fmt"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/bulker"
	"sync-sidecar/sidecar/logs"
	"sync-sidecar/sidecar/session"
)

// server is a Destination that takes the rows of a read in place of the local folder.
type server interface {
	sidecar.Destination
	// Ready says whether it can take rows. session.Await asks again until STARTUP_TIMEOUT while sidecar.CanPass says of the error that this may help.
	Ready(ctx context.Context) error
	// Close ends what the client holds open.
	Close()
}

// destination is a place for the rows of a read. Its zero value is the local folder.
type destination struct {
	name     string                           // in messages
	variable string                           // the setting that chooses it, of a marked flag
	open     func(s settings) (server, error) // makes its client, which connects to nothing yet
	hint     error                            // what Ready returns for a suspicion that must not keep the read from beginning: loads tell; may be nil
}

// destinations are all that rows can go to, beside the local folder.
func destinations() []destination {
	return []destination{
		{name: "Bulker", variable: "BULKER_URL", hint: bulker.ErrNotReady,
			open: func(s settings) (server, error) { return bulker.New(bulkerOptions(s)) }},
	}
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
	client, err := s.rows.open(s)
	if err != nil {
		return fmt.Errorf("set up %s: %w", s.rows.name, err)
	}
	o.destination = client
	o.closers = append(o.closers, client.Close)
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
