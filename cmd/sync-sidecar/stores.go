package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
	"sync-sidecar/sidecar/bulker"
	"sync-sidecar/sidecar/local"
	"sync-sidecar/sidecar/postgres"
)

// specKeeper knows the spec of the connector, when it was asked for it before.
type specKeeper interface {
	LoadSpec(ctx context.Context) (json.RawMessage, error)
}

// startTimeout bounds what is asked of Bulker and Postgres before the connector is listened to.
const startTimeout = 30 * time.Second

// closeTimeout bounds the goodbye, closeHurried the same after a signal: a server that does not answer must not outlast the grace period.
const (
	closeTimeout = 3 * time.Second
	closeHurried = time.Second
)

// stores are the places that a session writes to.
type stores struct {
	destination sidecar.Destination // nil unless the command is read
	journal     sidecar.Journal
	folder      *local.Folder // nil when Bulker and Postgres are both configured
	sinks       []sidecar.LogSink
	specs       []specKeeper
	closers     []func()
}

// openStores connects to what is configured; the local folder stands in for what is not. Everything that cannot be reached is an error here, before
// a connector runs. journalOnly is for those that only want to know the saved state.
func openStores(ctx context.Context, s settings, journalOnly bool) (_ *stores, err error) {
	signalled := ctx
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	opened := &stores{}
	defer func() {
		if err != nil {
			if !journalOnly {
				err = opened.recordUnstarted(signalled, s.config.Command, err, newMasker(s, nil).Mask)
			}
			err = withCode(exitEnvironment, errors.Join(err, opened.close(context.WithoutCancel(ctx))))
		}
	}()
	if s.database != "" {
		journal, err := postgres.Open(ctx, postgres.Options{URL: s.database, Identity: s.config.Identity})
		if err != nil {
			return opened, err
		}
		opened.journal = journal
		opened.specs = append(opened.specs, journal)
	}
	rowsHere := s.config.Command == sidecar.CommandRead && s.bulker.url == "" && !journalOnly
	if s.database == "" || rowsHere {
		if opened.folder, err = local.Open(ctx, local.Options{Dir: s.localDir, Identity: s.config.Identity}); err != nil {
			return opened, err
		}
		opened.specs = append([]specKeeper{opened.folder}, opened.specs...)
		if opened.journal == nil {
			opened.journal = opened.folder
		} else {
			opened.journal = opened.folder.Beside(opened.journal)
		}
	}
	if journalOnly {
		return opened, nil
	}
	opened.sinks = append(opened.sinks, opened.journal)
	return opened, opened.openBulker(ctx, s)
}

// openBulker connects to Bulker for rows and logs.
func (o *stores) openBulker(ctx context.Context, s settings) error {
	if s.bulker.url == "" {
		if o.folder != nil {
			o.destination = o.folder
		}
		return nil
	}
	id := s.config.Identity
	options := bulker.Options{URL: s.bulker.url, Token: s.bulker.token, DestinationID: id.SyncID, TaskID: id.TaskID, SyncID: id.SyncID,
		Deduplicate: s.bulker.deduplicate, RequestTimeout: s.bulker.loadTimeout, LiveFor: s.bulker.liveFor}
	if s.config.Command == sidecar.CommandRead {
		client, err := bulker.New(options)
		if err != nil {
			return fmt.Errorf("set up Bulker: %w", err)
		}
		o.destination = client
		o.closers = append(o.closers, client.Close)
		if err := client.Ready(ctx); err != nil {
			return err
		}
	}
	if s.bulker.logsID != "" {
		options.DestinationID = s.bulker.logsID
		sink, err := bulker.NewLogSink(options)
		if err != nil {
			return fmt.Errorf("set up Bulker's log destination: %w", err)
		}
		o.sinks = append(o.sinks, sink)
		o.closers = append(o.closers, sink.Close)
	}
	return nil
}

// spec is the connector's spec, where one is known: it says which values of the config are secrets.
func (o *stores) spec(ctx context.Context) (json.RawMessage, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for _, keeper := range o.specs {
		spec, err := keeper.LoadSpec(ctx)
		if err != nil || spec != nil {
			return spec, err
		}
	}
	return nil, nil
}

// resume prepares the local folder, when rows go there, for a read that starts from given states.
func (o *stores) resume(ctx context.Context, catalog airbyte.ConfiguredCatalog, given []airbyte.State) ([]string, error) {
	if o.folder == nil || o.destination != sidecar.Destination(o.folder) {
		return nil, nil
	}
	return o.folder.Resume(ctx, catalog, sidecar.GivenStates(given))
}

// close releases everything; a ctx that has ended only shortens the time for that.
func (o *stores) close(ctx context.Context) error {
	for _, closer := range o.closers {
		closer()
	}
	limit := closeTimeout
	if ctx.Err() != nil {
		limit = closeHurried
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer cancel()
	switch {
	case o.journal != nil:
		return o.journal.Close(ctx)
	case o.folder != nil:
		return o.folder.Close(ctx)
	}
	return nil
}
