package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sync-sidecar/sidecar"
)

// unstartedTimeout bounds the record of a session that never began.
const unstartedTimeout = 10 * time.Second

// recordUnstarted records why a session did not begin, so that nobody waits for its task (I2), and returns the cause; mask hides secrets in it.
// A folder that another run has locked is left to that run.
func (o *stores) recordUnstarted(ctx context.Context, command sidecar.Command, cause error, mask func(string) string) error {
	locked := errors.Is(cause, sidecar.ErrLocked)
	if o.journal == nil || locked && o.folder != nil && o.journal == sidecar.Journal(o.folder) {
		return cause
	}
	record, cancel := context.WithTimeout(context.WithoutCancel(ctx), unstartedTimeout)
	defer cancel()
	text, status := mask(cause.Error()), sidecar.StatusFailed
	if signalled := (sidecar.Signalled{}); errors.As(context.Cause(ctx), &signalled) {
		status = sidecar.StatusCancelled
	}
	var err error
	if command == sidecar.CommandRead {
		err = o.journal.SaveTask(record, sidecar.TaskRecord{Status: status, Error: text})
	} else {
		err = o.journal.SaveResult(record, sidecar.Result{Command: command, Status: sidecar.StatusFailed, Message: text})
	}
	if err != nil {
		err = fmt.Errorf("the verdict could not be recorded in %s: %w", o.journal, err)
	}
	return errors.Join(cause, err)
}

// recordBadInputs records in Postgres, where one is configured, that a session's files are wrong.
func recordBadInputs(ctx context.Context, s settings, cause error) error {
	if s.database == "" {
		return cause
	}
	stores, err := openStores(ctx, s, true)
	if err != nil {
		return errors.Join(cause, err)
	}
	err = stores.recordUnstarted(ctx, s.config.Command, cause, newMasker(s, nil).Mask)
	return errors.Join(err, stores.close(ctx))
}
