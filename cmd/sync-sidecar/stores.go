package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/bulker"
	"sync-sidecar/sidecar/local"
	"sync-sidecar/sidecar/logs"
	"sync-sidecar/sidecar/postgres"
	"sync-sidecar/sidecar/session"
)

// specKeeper has the spec of the connector, if the connector was ever asked for it.
type specKeeper interface {
	LoadSpec(ctx context.Context) (json.RawMessage, error)
}

const (
	specTimeout  = 30 * time.Second // to read the spec or the states
	closeTimeout = 3 * time.Second  // to close the connections, and to write the last lines to stderr
)

// stores are the places that a session writes to.
type stores struct {
	destination sidecar.Destination // nil unless the command is read
	journal     sidecar.Journal
	sinks       []sidecar.LogSink
	specs       []specKeeper
	closers     []func()
}

// openStores connects to the servers that are configured; the local folder stands in for the others. It waits for a server that is away
// (STARTUP_TIMEOUT); that it cannot be reached then is an error here, before the connector runs. With journalOnly only the journal is opened. When it
// fails, too, the caller must close the stores that it returns.
func openStores(ctx context.Context, s settings, logger *logs.Logger, journalOnly bool) (*stores, error) {
	opened := &stores{}
	if s.database != "" {
		err := session.Await(ctx, s.startup, logger, postgres.IsUnavailable, func(ctx context.Context) error { return opened.openPostgres(ctx, s) })
		if err != nil {
			return opened, err
		}
	}
	rowsHere := s.config.Command == sidecar.CommandRead && s.bulker.url == "" && !journalOnly
	if s.database == "" || rowsHere {
		if err := opened.openFolder(ctx, s, rowsHere); err != nil {
			return opened, err
		}
	}
	if journalOnly {
		return opened, nil
	}
	opened.sinks = append(opened.sinks, opened.journal)
	if s.bulker.url == "" {
		return opened, nil
	}
	return opened, opened.openBulker(ctx, s, logger)
}

// openPostgres opens the journal in Postgres.
func (o *stores) openPostgres(ctx context.Context, s settings) error {
	journal, err := postgres.Open(ctx, postgres.Options{URL: s.database, Identity: s.config.Identity})
	if err == nil {
		o.journal, o.specs = journal, append(o.specs, journal)
	}
	return err
}

// openFolder opens the local folder, for rows, as the journal, or both.
func (o *stores) openFolder(ctx context.Context, s settings, rows bool) error {
	folder, err := local.Open(ctx, local.Options{Dir: s.localDir, Identity: s.config.Identity})
	if err != nil {
		return err
	}
	o.specs = append([]specKeeper{folder}, o.specs...)
	if rows {
		o.destination = folder
	}
	switch mirrorer, ok := o.destination.(sidecar.Mirrorer); {
	case o.journal == nil:
		o.journal = folder
	case ok:
		o.journal = mirrorer.Mirror(o.journal)
	}
	return nil
}

// openBulker connects to Bulker for rows and logs.
func (o *stores) openBulker(ctx context.Context, s settings, logger *logs.Logger) error {
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
		err = session.Await(ctx, s.startup, logger, sidecar.CanPass, client.Ready)
		switch {
		case errors.Is(err, bulker.ErrNotReady): // a hint, not a verdict: loads tell
			logger.Warn(fmt.Sprintf("%v; going on all the same", err))
		case err != nil:
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

// spec is the connector's spec, which says which values of the config are secrets; nil when none is known.
func (o *stores) spec(ctx context.Context) (json.RawMessage, error) {
	ctx, cancel := context.WithTimeout(ctx, specTimeout)
	defer cancel()
	for _, keeper := range o.specs {
		spec, err := keeper.LoadSpec(ctx)
		if err != nil || spec != nil {
			return spec, err
		}
	}
	return nil, nil
}

// close closes everything, and takes no longer than limit.
func (o *stores) close(ctx context.Context, limit time.Duration) error {
	for _, closer := range o.closers {
		closer()
	}
	if o.journal == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer cancel()
	return o.journal.Close(ctx)
}
