package main

import (
	"context"
	"errors"
	"time"

	"github.com/rs/zerolog"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/logs"
	"sync-sidecar/sidecar/secret"
	"sync-sidecar/sidecar/session"
	"sync-sidecar/sidecar/shutdown"
)

// openToRecord is openStores for a process that has a verdict to record: after a signal, too, it takes the time to reach Postgres for that (I2).
func openToRecord(ctx context.Context, s settings, logger *logs.Logger, journalOnly bool) (*stores, error) {
	stores, err := openStores(ctx, s, logger, journalOnly)
	if ctx.Err() != nil && stores.journal == nil && s.journal.URL != "" {
		recording, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdown.Loads.After(s.config.Deadlines.Shutdown))
		defer cancel()
		err = errors.Join(err, stores.openPostgres(recording, s))
	}
	return stores, err
}

// recordable says that the settings, with whatever else is wrong with them, tell where the outcome of a session belongs.
func (s settings) recordable() bool {
	return commandKnown(s.config.Command) == nil && (s.journal.URL == "" || s.journal.Validate() == nil)
}

// quiet is a logger that shows nothing, for what is said otherwise.
func quiet(s settings, masker *secret.Masker) *logs.Logger {
	return logs.New(logs.Options{Format: zerolog.Nop(), SinkLevel: s.sinkLevel, Mask: masker.Mask})
}

// recordTime is how long servers may be away when there is nothing to do but to record that a session cannot begin.
const recordTime = 10 * time.Second

// unstarted is the verdict on a session that cannot begin, for a reason that lies before its servers; it is recorded all the same (I2).
func unstarted(ctx context.Context, s settings, logger *logs.Logger, code int, cause error) sidecar.Report {
	s.startup = min(max(s.startup, time.Second), recordTime)
	opened := &stores{}
	if s.recordable() {
		var err error
		if opened, err = openToRecord(ctx, s, logger, true); err != nil {
			cause = errors.Join(cause, err)
		}
	}
	if s.journal.URL == "" && opened.journal != nil {
		// A folder has one task.json, which another run may be writing: then it refuses ours.
		if err := opened.journal.Lock(ctx); err != nil {
			logger.Debug(err.Error())
		}
	}
	report := session.Unstarted(ctx, s.config, session.Parts{Journal: opened.journal, Logs: logger}, code, cause)
	if err := opened.close(ctx, closeTimeout); err != nil {
		logger.Error(err.Error())
	}
	return report
}
