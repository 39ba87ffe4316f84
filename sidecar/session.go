// Package sidecar is one session beside a connector: it reads the connector's messages from its pipes, batches rows for a Destination, saves
// states, results and status to a Journal, and decides the verdict. It declares what it needs of destinations and journals; they are packages of
// their own that import this one.
//
// Invariants, enforced where their names stand in comments:
//
//	I1 a state is saved only after every row that it covers is acknowledged
//	I2 a verdict is always recorded
//	I3 success needs exit status 0, EOF, every stream COMPLETE, every row acknowledged, and counts that agree
//	I4 every wait has a deadline and obeys cancellation
//	I5 no secret reaches a log, a table or an error text
//	I6 a failed or cancelled full refresh leaves the previous table as it was
//	I7 nothing that a source writes crashes the session, and nothing vanishes without a count
package sidecar

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"sync-sidecar/sidecar/airbyte"
)

// session is what all commands share: the source, the clock that watches it, and what was seen of its end.
type session struct {
	config  Config
	journal Journal
	logs    *Logs
	handle  func(*airbyte.Message) // takes one message, with mu held

	mu        sync.Mutex
	watchdog  *watchdog
	source    *source
	abandon   context.CancelFunc // ends the wait for the pipes to be opened
	started   time.Time
	stopped   Stop
	stoppedAt time.Time
	signal    int
	signalled time.Time // when the first signal came
	fault     error
	exit      Exit
	exited    time.Time // when the connector was first seen to have exited while its pipes were open
	gone      bool      // and its pipes are no longer read
	stdoutEOF bool
	stderrEOF bool
	messages  int64
	defects   map[string]int64
	warnings  []string

	// sourceError is the source's first error that names no stream, in its own words.
	sourceError string
}

func newSession(config Config, journal Journal, logs *Logs) *session {
	now := time.Now()
	return &session{config: config, journal: journal, logs: logs, started: now, defects: map[string]int64{},
		watchdog: newWatchdog(config.Deadlines, config.Identity.StartedAt, now)}
}

// Run is one session, from opening the pipes to the recorded verdict. A context that ends with a Signalled cause cancels it: what can be committed
// is, and the verdict is recorded within Deadlines.Shutdown. Run returns the outcome; it has been logged and, unless Report.Cause says otherwise,
// recorded.
func Run(ctx context.Context, config Config, destination Destination, journal Journal, logs *Logs) Report {
	logging, stopLogging := context.WithCancelCause(context.WithoutCancel(ctx))
	var writers sync.WaitGroup
	writers.Go(func() { logs.Run(logging) })
	s := newSession(config, journal, logs)
	var report Report
	if config.Command == CommandRead {
		report = newRead(s, destination).run(ctx)
	} else {
		report = newAnswer(s).run(ctx)
	}
	if damage := report.damage(); damage != "" {
		logs.Warn(damage)
	}
	line, level := logs.text(report.Line()), airbyte.LevelInfo
	if report.Status != StatusSuccess {
		level = airbyte.LevelError
	}
	logs.store(ownLogger, level, line)
	stopLogging(hurriedBy(ctx))
	writers.Wait()
	logs.show(ownLogger, level, line) // the last line, whatever became of the sinks (I2)
	if lost := logs.Lost(); lost > 0 {
		report.Warnings = append(report.Warnings, fmt.Sprintf("%d log lines could not be stored", lost))
	}
	logs.Event(EventReport, line, report)
	return report
}

// hurriedBy is errHurried when ctx was ended by a signal.
func hurriedBy(ctx context.Context) error {
	if ctx.Err() != nil {
		return errHurried
	}
	return nil
}

// listen reads the source until it ends or the session is stopped: when it returns, all that could be read has been handled.
func (s *session) listen(ctx context.Context) {
	opening, abandon := context.WithCancel(ctx)
	defer abandon()
	s.mu.Lock()
	s.abandon = abandon
	if s.stopped != "" {
		abandon()
	}
	s.mu.Unlock()
	source, err := openSource(opening, s.config, &s.mu, s.watchdog)
	if err != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.endBefore(ctx, err)
		return
	}
	s.mu.Lock()
	s.source = source
	stopped := s.stopped
	s.mu.Unlock()
	if stopped != "" {
		s.stopReading(time.Now())
	}
	var errorsDone sync.WaitGroup
	errorsDone.Go(func() { s.readErrors(source) })
	s.readMessages(source)
	s.boundErrors(source)
	errorsDone.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stdoutEOF || !s.exited.IsZero() {
		// Something that the connector left behind may still hold stderr: how the connector ended is known all the same.
		if s.exit, err = source.exit(); err != nil && s.fault == nil {
			s.fault = err // success needs to know (I3)
		}
	}
}

// boundErrors bounds the wait for the end of stderr once stdout has ended. After a signal both are bounded already.
func (s *session) boundErrors(source *source) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.signalled.IsZero() {
		return
	}
	if err := source.stderr.SetReadDeadline(time.Now().Add(s.config.Deadlines.Drain)); err != nil && !errors.Is(err, os.ErrClosed) {
		s.logs.Warn(fmt.Sprintf("bound the wait for the connector's stderr: %v", err))
	}
}

// endBefore notes why there is nothing to read.
func (s *session) endBefore(ctx context.Context, err error) {
	switch {
	case s.stopped != "":
	case ctx.Err() != nil:
		s.noteSignal(ctx)
	default:
		s.fault = err
	}
}

// readMessages handles stdout until it ends.
func (s *session) readMessages(source *source) {
	s.mu.Lock()
	defer s.mu.Unlock()
	reader := airbyte.NewReader(source, airbyte.Options{MaxLineBytes: s.config.MaxLineBytes, RejectNonFinite: s.config.RejectNonFinite})
	for {
		message, err := reader.Next()
		switch {
		case errors.Is(err, io.EOF):
			s.stdoutEOF = true
			return
		case errors.Is(err, os.ErrDeadlineExceeded):
			return
		case err != nil:
			s.fault = fmt.Errorf("read stdout of the connector: %w", err)
			return
		}
		s.take(message)
	}
}

// take handles one message: what all commands treat alike here, the rest by the command's own handler.
func (s *session) take(message *airbyte.Message) {
	switch message.Type {
	case airbyte.TypeText:
		s.logs.Source(message.Log.Level, message.Log.Message)
		return
	case airbyte.TypeRecord, airbyte.TypeState:
		s.messages++
		s.watchdog.message(s.source.left, string(message.Type), true)
	case airbyte.TypeDefect:
	default:
		s.messages++
		s.watchdog.message(s.source.left, string(message.Type), false)
	}
	switch message.Type {
	case airbyte.TypeLog:
		s.logs.Source(message.Log.Level, message.Log.Message)
	case airbyte.TypeControl:
		s.keepConfig(message.Control)
	default:
		s.handle(message)
	}
}

// readErrors logs stderr until it ends.
func (s *session) readErrors(source *source) {
	ended, err := source.logErrors(s.logs, s.config.MaxLineBytes)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stderrEOF = ended
	if err != nil {
		s.warn(err.Error())
	}
}

// close lets go of the pipes.
func (s *session) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.source == nil {
		return
	}
	if err := s.source.close(); err != nil {
		s.logs.Warn(fmt.Sprintf("close pipes: %v", err))
	}
	s.source = nil
}

// warn logs a line that also belongs into the report. The caller holds mu.
func (s *session) warn(text string) {
	const most = 20
	if len(s.warnings) < most {
		s.warnings = append(s.warnings, s.logs.Brief(text))
	}
	s.logs.Warn(text)
}

// report starts a Report with what all commands know.
func (s *session) report() Report {
	return Report{
		Command:     s.config.Command,
		OutOfMemory: s.exit.OutOfMemory && s.exit.Code != 0,
		StartedAt:   s.started.UTC(),
		Seconds:     time.Since(s.started).Seconds(),
		Warnings:    s.warnings,
		Defects:     s.defects,
	}
}
