package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/bulker"
	"sync-sidecar/sidecar/local"
	"sync-sidecar/sidecar/logs"
	"sync-sidecar/sidecar/postgres"
	"sync-sidecar/sidecar/remote"
	"sync-sidecar/sidecar/session"
)

// specKeeper has the spec of the connector, if the connector was ever asked for it.
type specKeeper interface {
	LoadSpec(ctx context.Context) (json.RawMessage, error)
}

const (
	specTimeout  = 30 * time.Second // to read the spec or the states
	closeTimeout = 3 * time.Second  // to close the connections, and to write the last lines to stderr
	flushTimeout = time.Second      // for the terminal to be ready for the result
	hurryTimeout = time.Second / 2  // to write them when somebody has asked to end at once
)

// stores are the places that a session writes to.
type stores struct {
	destination sidecar.Destination // nil unless the command is read
	journal     sidecar.Journal
	sinks       []sidecar.LogSink
	specs       []specKeeper
	closers     []func(ctx context.Context)
	keepConfig  func(config []byte) (path string, err error) // see session.Config; nil where a file does
}

// openStores connects to the servers that are configured; the local folder stands in for the others. It waits for a server that is away
// (STARTUP_TIMEOUT); that it cannot be reached then is an error here, before the connector runs. With journalOnly only the journal is opened. When it
// fails, too, the caller must close the stores that it returns.
func openStores(ctx context.Context, s settings, logger *logs.Logger, journalOnly bool) (*stores, error) {
	opened := &stores{}
	if s.journal.URL != "" {
		err := session.Await(ctx, s.startup, logger, postgres.IsUnavailable, func(ctx context.Context) error { return opened.openPostgres(ctx, s) })
		if err != nil {
			return opened, err
		}
	}
	forRows := s.config.Command == sidecar.CommandRead && !journalOnly
	rowsHere := forRows && s.rows.isFolder()
	if s.journal.URL == "" || rowsHere || s.folderSocket != "" {
		if err := opened.openFolder(ctx, s, rowsHere); err != nil {
			return opened, err
		}
	}
	if journalOnly {
		return opened, nil
	}
	opened.sinks = append(opened.sinks, opened.journal)
	if forRows && !rowsHere {
		if err := opened.openServer(ctx, s, logger); err != nil {
			return opened, err
		}
	}
	return opened, opened.openLogSink(s)
}

// openPostgres opens the journal in Postgres.
func (o *stores) openPostgres(ctx context.Context, s settings) error {
	journal, err := postgres.Open(ctx, s.journal)
	if err == nil {
		o.journal, o.specs = journal, append(o.specs, journal)
	}
	return err
}

// openFolder opens the local folder, for rows, as the journal, or both.
func (o *stores) openFolder(ctx context.Context, s settings, rows bool) error {
	folder, err := o.localFolder(ctx, s)
	if err != nil {
		return err
	}
	o.specs = append([]specKeeper{folder}, o.specs...)
	if rows {
		o.destination = folder
	}
	switch {
	case o.journal == nil:
		o.journal = folder
	case rows:
		o.mirror()
	default:
		o.closers = append(o.closers, func(ctx context.Context) {
			folder.Close(ctx) //nolint:errcheck,gosec // it keeps nothing but a configuration, which is there
		})
	}
	return nil
}

// localFolder is a folder of this machine, or of the one that runs this session from afar.
type localFolder interface {
	sidecar.Destination
	sidecar.Journal
	specKeeper
}

// localFolder opens the local folder.
func (o *stores) localFolder(ctx context.Context, s settings) (localFolder, error) {
	if s.folderSocket == "" {
		return local.Open(ctx, local.Options{Dir: s.localDir, Identity: s.config.Identity})
	}
	folder, err := remote.Open(ctx, s.folderSocket)
	if err != nil {
		return nil, err
	}
	o.keepConfig = func(config []byte) (string, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), specTimeout)
		defer cancel()
		return folder.KeepConfig(ctx, config)
	}
	return folder, nil
}

// bulkerOptions are the settings of Bulker, for rows.
func bulkerOptions(s settings) bulker.Options {
	id := s.config.Identity
	return bulker.Options{URL: s.bulker.url, Token: s.bulker.token, DestinationID: id.SyncID, TaskID: id.TaskID, SyncID: id.SyncID,
		Deduplicate: s.bulker.deduplicate, RequestTimeout: s.bulker.loadTimeout, LiveFor: s.bulker.liveFor}
}

// openLogSink opens Bulker's destination for logs, where one is configured.
func (o *stores) openLogSink(s settings) error {
	if s.bulker.logsID == "" {
		return nil
	}
	options := bulkerOptions(s)
	options.DestinationID = s.bulker.logsID
	sink, err := bulker.NewLogSink(options)
	if err != nil {
		return fmt.Errorf("set up Bulker's log destination: %w", err)
	}
	o.sinks = append(o.sinks, sink)
	o.closers = append(o.closers, func(context.Context) { sink.Close() })
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
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer cancel()
	for _, closer := range o.closers {
		closer(ctx)
	}
	if o.journal == nil {
		return nil
	}
	return o.journal.Close(ctx)
}
