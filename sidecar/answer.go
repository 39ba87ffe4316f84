package sidecar

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"sync-sidecar/sidecar/airbyte"
)

// answer is the session of spec, check and discover: one result is expected.
type answer struct {
	*session
	result json.RawMessage // the first spec, catalog or connection status: it counts even when the connector fails afterwards
	status *airbyte.ConnectionStatus
}

func newAnswer(s *session) *answer {
	a := &answer{session: s}
	s.handle = a.handle
	return a
}

// run waits for the result and records it.
func (a *answer) run(ctx context.Context) Report {
	if a.config.Command == CommandDiscover {
		first, cancel := context.WithTimeout(ctx, journalTimeout)
		if err := a.journal.SaveResult(first, Result{Command: CommandDiscover, Status: StatusRunning}); err != nil {
			a.logs.Warn(fmt.Sprintf("%s: status RUNNING could not be recorded: %v", a.journal, err))
		}
		cancel()
	}
	done := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() { a.watch(ctx, done, func(time.Time) {}) })
	a.listen(ctx)
	close(done)
	watching.Wait()
	report := a.verdict()
	report.Cause = a.logs.Masked(report.Cause)
	if err := a.record(ctx, report); err != nil {
		report.Cause = joinCause(report.Cause, a.logs.Masked(fmt.Sprintf("the result could not be recorded in %s: %v", a.journal, err)))
		report.ExitCode = exitCodeOf(report.Status, true, a.signal)
	}
	a.close()
	return report
}

// handle takes one message, with mu held.
func (a *answer) handle(m *airbyte.Message) {
	switch {
	case m.Type == airbyte.TypeTrace:
		if m.Trace.Type == airbyte.TraceError {
			if text := a.logTraceError(m.Trace.Error); a.sourceError == "" {
				a.sourceError = text
			}
		}
	case m.Type == airbyte.TypeDefect:
		a.defects[string(m.Defect.Kind)]++
		a.warn(fmt.Sprintf("line %d of the connector's stdout (%d bytes): %s: %s", m.Defect.Line, m.Defect.Bytes, m.Defect.Kind, m.Defect.Detail))
	case a.result != nil: // the first one counts
	case m.Type == airbyte.TypeSpec && a.config.Command == CommandSpec:
		a.result = bytes.Clone(m.Spec)
	case m.Type == airbyte.TypeCatalog && a.config.Command == CommandDiscover:
		a.result = bytes.Clone(m.Catalog)
	case m.Type == airbyte.TypeConnectionStatus && a.config.Command == CommandCheck:
		status := *m.ConnectionStatus
		status.Message = a.logs.Brief(status.Message)
		encoded, err := json.Marshal(status)
		if err != nil { // cannot be: two strings
			return
		}
		a.status, a.result = &status, encoded
	}
}

// verdict follows the platform's rules: the first result counts even when the connector's exit code is not 0; exit 0 without a result is an error;
// without one, the source's first error trace is the cause.
func (a *answer) verdict() Report {
	a.mu.Lock()
	defer a.mu.Unlock()
	report := a.report()
	report.Result = a.result
	environment := false
	switch {
	case a.status != nil && a.status.Status != "SUCCEEDED":
		report.Status, report.Cause = StatusFailed, orElse("", a.status.Message, "the connector gave no reason")
		report.ExitCode = ExitCheckFailed
		return report
	case a.result != nil:
		report.Status = StatusSuccess
		if !exitGood(a.exit) {
			report.Warnings = append(report.Warnings, exitText(Evidence{Exit: a.exit}))
		}
	case a.stopped == StopSignal:
		report.Status, report.Cause = StatusCancelled, stopText(a.stopped)
	case a.stopped != "":
		report.Status, report.Cause = StatusTimeExceeded, stopText(a.stopped)
	case a.fault != nil:
		report.Status, report.Cause, environment = StatusFailed, a.fault.Error(), true
	case !exitGood(a.exit):
		report.Status, report.Cause = StatusFailed, exitText(Evidence{Exit: a.exit, SourceError: a.sourceError})
	case a.sourceError != "":
		report.Status, report.Cause = StatusFailed, a.sourceError
	case a.messages == 0:
		report.Status, report.Cause = StatusFailed, silentSource
	default:
		report.Status = StatusFailed
		report.Cause = fmt.Sprintf("the connector exited without an answer to %s", a.config.Command)
	}
	report.ExitCode = exitCodeOf(report.Status, environment, a.signal)
	return report
}

// record writes the result, trying again while the journal is away.
func (a *answer) record(ctx context.Context, report Report) error {
	limit := a.config.Deadlines.Journal
	if a.stopped == StopSignal {
		limit = a.config.Deadlines.Shutdown / 2
	}
	lasting, cancel := untilAfter(ctx, func() time.Duration { return a.config.Deadlines.Shutdown / 2 })
	defer cancel()
	final, cancelFinal := context.WithTimeout(lasting, limit)
	defer cancelFinal()
	result := Result{Command: a.config.Command, Status: StatusSuccess, Payload: report.Result, Message: report.Cause}
	if report.Status != StatusSuccess {
		result.Status = StatusFailed
	}
	if a.status != nil {
		result.Message = a.status.Message
	}
	keeper := newKeeper(a.journal, a.logs)
	err := keeper.insist(final, func(ctx context.Context) error {
		return keeper.try(ctx, func(ctx context.Context) error { return a.journal.SaveResult(ctx, result) })
	})
	if err != nil && errors.Is(final.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("after %v: %w", limit, err)
	}
	return err
}
