package session

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
	"sync-sidecar/sidecar/shutdown"
	"sync-sidecar/sidecar/verdict"
)

// answer is the session of spec, check and discover: one result is expected.
type answer struct {
	*session
	result json.RawMessage // the first spec, catalog or connection status: it counts even when the connector fails afterwards
	status *airbyte.ConnectionStatus
	others int             // answers that came later and say something else
	unread *airbyte.Defect // an answer that could not be read
}

func newAnswer(s *session) *answer {
	a := &answer{session: s}
	s.handle = a.handle
	return a
}

// run waits for the result and records it.
func (a *answer) run(ctx context.Context) sidecar.Report {
	if a.config.Command == sidecar.CommandDiscover {
		a.recorder.Begin(ctx, func(ctx context.Context) error {
			return a.journal.SaveResult(ctx, sidecar.Result{Command: sidecar.CommandDiscover, Status: sidecar.StatusRunning})
		})
	}
	a.watched(a.live)
	opening, abandon := context.WithCancel(ctx)
	defer abandon()
	a.abandon = abandon
	done := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() { a.watch(ctx, done, func() {}, func(time.Time) {}) })
	a.listen(opening)
	close(done)
	watching.Wait()
	a.noteSignal(ctx) // it may have come with the end
	report := a.verdict()
	report.Cause = a.logs.Masked(report.Cause)
	if err := a.record(ctx, report); err != nil {
		report.Cause = joinCause(report.Cause, a.logs.Masked(fmt.Sprintf("the result could not be recorded in %s: %v", a.journal, err)))
		report.ExitCode = sidecar.ExitCodeOf(report.Status, true, a.stopping.signalNumber())
	}
	a.close()
	return report
}

// handle takes one message.
func (a *answer) handle(m *airbyte.Message) {
	switch {
	case m.Type == airbyte.TypeTrace:
		if m.Trace.Type == airbyte.TraceError {
			if text := a.logTraceError(m.Trace.Error); a.connectorError == "" {
				a.connectorError = text
			}
		}
	case m.Type == airbyte.TypeDefect:
		a.defects[string(m.Defect.Kind)]++
		a.warn(fmt.Sprintf("line %d of the connector's stdout (%d bytes): %s: %s", m.Defect.Line, m.Defect.Bytes, m.Defect.Kind, m.Defect.Detail))
		if m.Defect.Type == a.wanted() {
			defect := *m.Defect
			a.unread = &defect
		}
	case m.Type == airbyte.TypeSpec && a.config.Command == sidecar.CommandSpec:
		a.keep(m.Spec)
	case m.Type == airbyte.TypeCatalog && a.config.Command == sidecar.CommandDiscover:
		a.keep(m.Catalog)
	case m.Type == airbyte.TypeConnectionStatus && a.config.Command == sidecar.CommandCheck:
		status := *m.ConnectionStatus
		status.Message = a.logs.Brief(status.Message)
		encoded, err := json.Marshal(status)
		if err != nil { // cannot be: two strings
			return
		}
		if a.keep(encoded) {
			a.status = &status
		}
	}
}

// wanted is the type of the messages that answer the command.
func (a *answer) wanted() airbyte.Type {
	switch a.config.Command {
	case sidecar.CommandSpec:
		return airbyte.TypeSpec
	case sidecar.CommandDiscover:
		return airbyte.TypeCatalog
	default:
		return airbyte.TypeConnectionStatus
	}
}

// unreadText says why the answer could not be read.
func (a *answer) unreadText() string {
	text := fmt.Sprintf("the connector's %s, of %d bytes, could not be read: %s: %s", a.unread.Type, a.unread.Bytes, a.unread.Kind, a.unread.Detail)
	if a.unread.Kind == airbyte.DefectOversizeLine {
		text = fmt.Sprintf("the connector's %s has %d bytes, more than MAX_LINE_BYTES (%d) allows: raise it", a.unread.Type, a.unread.Bytes,
			a.config.MaxLineBytes)
	}
	return text
}

// keep keeps the first answer.
func (a *answer) keep(result json.RawMessage) (first bool) {
	if a.result == nil {
		a.result = bytes.Clone(result)
		return true
	}
	if !bytes.Equal(a.result, result) {
		a.others++
	}
	return false
}

// verdict follows the rules of Airbyte's platform: the first result counts, even when the connector's exit code is not 0; exit code 0 without a
// result is an error. The cause of an error is the connector's first error trace, when there is one.
func (a *answer) verdict() sidecar.Report {
	a.doubtAnswer()
	report := a.report(a.defects)
	report.Result, report.OutOfMemory = a.result, a.end.exit.OutOfMemory && a.end.exit.Code != 0
	environment, stop := false, a.stopping.reason()
	switch {
	case a.status != nil && a.status.Status != "SUCCEEDED":
		report.Status, report.Cause = sidecar.StatusFailed, a.refusal()
		report.ExitCode = sidecar.ExitCheckFailed
		return report
	case a.result != nil:
		report.Status = sidecar.StatusSuccess
	case stop == verdict.StopSignal:
		report.Status, report.Cause = sidecar.StatusCancelled, verdict.StopText(stop)
	case stop != "":
		report.Status, report.Cause = sidecar.StatusTimeExceeded, verdict.StopText(stop)
	case a.unread != nil:
		report.Status, report.Cause = sidecar.StatusFailed, a.unreadText()
	case a.end.fault != nil:
		report.Status, report.Cause, environment = sidecar.StatusFailed, a.end.fault.Error(), true
	case !verdict.ExitGood(a.end.exit):
		report.Status, report.Cause = sidecar.StatusFailed, a.exitText()
	case a.ownError() != "":
		report.Status, report.Cause = sidecar.StatusFailed, a.ownError()
	case a.messages == 0:
		report.Status, report.Cause = sidecar.StatusFailed, verdict.Silent(a.end.said)
	default:
		report.Status = sidecar.StatusFailed
		report.Cause = fmt.Sprintf("the connector exited without an answer to %s", a.config.Command)
	}
	report.ExitCode = sidecar.ExitCodeOf(report.Status, environment, a.stopping.signalNumber())
	return report
}

// refusal is why the check failed. Some connectors, such as those of Jitsu's Go CDK, only log the reason.
func (a *answer) refusal() string {
	const none = "the connector gave no reason"
	words := cmp.Or(a.errorLog, a.end.said.Cause, a.end.said.LastLine)
	switch {
	case a.status.Message != "" || a.ownError() != "":
		return cmp.Or(a.status.Message, a.ownError())
	case words != "":
		return none + "; it said: " + words
	}
	return none
}

// doubtAnswer warns of what speaks against the answer that was taken.
func (a *answer) doubtAnswer() {
	if a.result == nil {
		return
	}
	if a.others > 0 {
		a.warn(fmt.Sprintf("the connector gave %d answers that differ: the first one was taken, as Airbyte's platform does", a.others+1))
	}
	if !verdict.ExitGood(a.end.exit) {
		a.warn(fmt.Sprintf("the connector answered and failed afterwards: %s; its answer was taken, as Airbyte's platform does", a.exitText()))
	}
}

// exitText says how the connector ended.
func (a *answer) exitText() string {
	return verdict.ExitText(verdict.Evidence{Exit: a.end.exit, ConnectorError: a.ownError(), Said: a.end.said})
}

// record writes the result, trying again while the journal is away.
func (a *answer) record(ctx context.Context, report sidecar.Report) error {
	lasting, cancel := a.bound(ctx, shutdown.Verdict)
	defer cancel()
	final, cancelFinal := context.WithTimeout(lasting, a.config.Deadlines.Journal)
	defer cancelFinal()
	result := sidecar.Result{Command: a.config.Command, Status: sidecar.StatusSuccess, Payload: report.Result, Message: report.Cause}
	if report.Status != sidecar.StatusSuccess {
		result.Status = sidecar.StatusFailed
	}
	if a.status != nil && a.status.Message != "" {
		result.Message = a.status.Message
	}
	began := time.Now()
	err := a.recorder.SaveResult(final, result)
	if err != nil && errors.Is(final.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("after %v: %w", time.Since(began).Round(time.Second), err)
	}
	return err
}
