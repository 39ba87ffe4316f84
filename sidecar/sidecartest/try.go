package sidecartest

import (
	"context"
	"errors"
	"time"

	"sync-sidecar/sidecar"
)

// try gives a load, and checks what holds of every one: it ends, its rows are closed and an error shows no secret.
func (r *destinationRun) try(ctx context.Context, index int, mode sidecar.Mode, given sidecar.Rows) error {
	r.t.Helper()
	return r.tryWith(ctx, index, sidecar.Load{Mode: mode, Rows: given})
}

// tryWith is try for a load that brings states.
func (r *destinationRun) tryWith(ctx context.Context, index int, load sidecar.Load) error {
	r.t.Helper()
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errors.New("the suite's patience is over"))
	defer cancel()
	load.Table = r.streams[index].Table
	if _, commits := r.destination.(sidecar.Committer); commits && load.Mode == sidecar.ReplaceFirst {
		r.startsOver[index].Store(true)
	}
	ended := make(chan error, 1)
	go func() { ended <- r.destination.Load(ctx, load) }()
	var err error
	select {
	case err = <-ended:
	case <-time.After(2 * patience):
		err = errors.New("Load does not end with its ctx")
		r.t.Error(err)
		return err
	}
	if counted, ok := load.Rows.(interface{ Readers() (int, int) }); ok {
		if _, open := counted.Readers(); open > 0 {
			r.t.Errorf("Load has returned and left %d readers of its rows open", open)
		}
	}
	if err != nil {
		r.discreet(err.Error())
	}
	return err
}

// load gives a load that must succeed.
func (r *destinationRun) load(index int, mode sidecar.Mode, lines ...string) {
	r.t.Helper()
	r.must(r.try(r.t.Context(), index, mode, NewRows(lines...)))
}
