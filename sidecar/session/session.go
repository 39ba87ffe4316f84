// Package session is one run beside a connector, from opening its pipes to the recorded verdict (I2).
//
// In come the connector's messages and its end; out go rows and states to the loader, lines to the logs, results and the task's status to the
// recorder, and a sidecar.Report. Three goroutines share a session, and each owns what it knows:
//
//   - the reader owns what the connector said (read, answer); others see the snapshots that it publishes,
//   - the watch goroutine owns the clock: deadlines, the signal, progress,
//   - Run itself waits for both, and gives up on a reader that a hanging disk holds (I4).
//
// Each thing that they share (watchdog, stopping, warnings) has a small lock of its own.
package session

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
	"sync-sidecar/sidecar/cause"
	"sync-sidecar/sidecar/logs"
	"sync-sidecar/sidecar/recorder"
	"sync-sidecar/sidecar/shutdown"
	"sync-sidecar/sidecar/verdict"
)

// Parts are what a session works with.
type Parts struct {
	Destination sidecar.Destination // nil unless the command is read
	Journal     sidecar.Journal
	Logs        *logs.Logger
}

// Run is one session. A context that ends with a sidecar.Signalled as its cause cancels it: then it commits what can be committed, and records the
// verdict within Deadlines.Shutdown. Run returns the outcome, which it has logged and, unless Report.Cause says otherwise, recorded.
func Run(ctx context.Context, config Config, parts Parts) sidecar.Report {
	stopLogs := parts.Logs.Start(context.WithoutCancel(ctx))
	s := newSession(config, parts)
	ctx, stopAsking := s.untilAsked(ctx)
	defer stopAsking()
	var report sidecar.Report
	if config.Command == sidecar.CommandRead {
		report = newRead(s, parts.Destination).run(ctx)
	} else {
		report = newAnswer(s).run(ctx)
	}
	if damage := report.Damage(); damage != "" {
		parts.Logs.Warn(damage)
	}
	parts.Logs.Verdict(report)
	stopLogs(s.stopping.left(shutdown.Logs, config.Deadlines.Shutdown))
	report.LogLinesNotStored, report.LogLinesNotShown = parts.Logs.Lost()
	if lost := parts.Logs.LostText(); lost != "" {
		parts.Logs.Warn(lost)
		report.Warnings = append(report.Warnings, lost)
	}
	parts.Logs.Report(report)
	return report
}

// session is what the sessions of all commands share.
type session struct {
	config    Config
	journal   sidecar.Journal
	logs      *logs.Logger
	recorder  *recorder.Recorder
	started   time.Time
	watchdog  *watchdog
	stopping  *stopping
	warnings  warnings
	connector atomic.Pointer[connector] // nil until both pipes are open
	abandon   context.CancelFunc        // ends the reader's wait for the pipes
	asked     func()                    // notes that the shim was asked to end, if it was

	// The reader's:
	handle         func(*airbyte.Message) // takes one message
	tick           func(now time.Time)    // is called about twice a second
	words          cause.Tail             // what stdout said that is no message, and its log lines
	signs          signs                  // of life that the watchdog has not been told of
	messages       int64
	defects        map[string]int64
	connectorError string // the connector's first error that names no stream, in its own words
	fatal          string // the connector's first log line of level FATAL: when it says that it failed, it did
	stranger       string // its first message of a type that the protocol does not have
	errorLog       string // its first one of level ERROR, which many connectors log and go on
	end            ending
	enough         bool // all rows came that are wanted (StreamLimit)
}

// ending is how the connector's output ended.
type ending struct {
	fault     error // what broke the session itself: a pipe that could not be read
	exit      verdict.Exit
	stdoutEOF bool
	stderrEOF bool
	said      verdict.Said
}

// signs of life.
type signs struct {
	message bool
	moves   bool // a RECORD or a STATE
	kind    airbyte.Type
}

func newSession(config Config, parts Parts) *session {
	now := time.Now()
	return &session{config: config, journal: parts.Journal, logs: parts.Logs, recorder: recorder.New(parts.Journal, parts.Logs), started: now,
		watchdog: newWatchdog(config.Deadlines, config.Identity.StartedAt, now), stopping: &stopping{}, defects: map[string]int64{},
		tick:  func(time.Time) {},
		asked: func() {}}
}

// listen reads what the connector says until it ends or the session is stopped. It waits for the pipes until ctx ends. When it returns, all that
// could be read has been handled.
func (s *session) listen(ctx context.Context) {
	connector, err := openConnector(ctx, s.config, s.watchdog, s.idle)
	if err != nil {
		if s.stopping.reason() == "" && ctx.Err() == nil {
			s.end.fault = err
		}
		return
	}
	s.connector.Store(connector)
	if s.stopping.reason() != "" { // since the pipes were awaited
		s.readBy(time.Now())
	}
	stderr, words := make(chan bool, 1), &cause.Tail{}
	go func() { stderr <- s.readStderr(connector, words) }()
	s.readMessages(connector)
	s.boundStderr(connector)
	s.end.stderrEOF = <-stderr
	s.end.said = lastWords(words, &s.words)
	if s.messages == 0 {
		s.end.said.Cause = cmp.Or(s.end.said.Cause, s.stranger)
	}
	if s.end.stdoutEOF || s.watchdog.sawExit() {
		// Something that the connector left behind may still hold stderr: how the connector ended is known all the same.
		if s.end.exit, err = connector.exit(); err != nil && s.end.fault == nil {
			s.end.fault = err // success needs to know (I3)
		}
		s.asked()
	}
	if s.end.stdoutEOF && s.end.stderrEOF {
		s.close() // at once: the connector of the next session must find nobody here
	}
}

// lastWords is what the connector's output gives as a cause, stderr before stdout.
func lastWords(stderr, stdout *cause.Tail) verdict.Said {
	return verdict.Said{Cause: cmp.Or(stderr.Cause(), stdout.Cause()), LastLine: cmp.Or(stderr.LastLine(), stdout.LastLine())}
}

// boundStderr bounds the wait for the end of stderr, once stdout has ended. After a signal it is bounded already.
func (s *session) boundStderr(connector *connector) {
	if s.stopping.signalled() || s.enough {
		return
	}
	if err := connector.stderr.SetReadDeadline(time.Now().Add(s.config.Deadlines.Drain)); err != nil && !errors.Is(err, os.ErrClosed) {
		s.logs.Warn(fmt.Sprintf("bound the wait for the connector's stderr: %v", err))
	}
}

// readMessages handles stdout until it ends.
func (s *session) readMessages(connector *connector) {
	reader := airbyte.NewReader(connector, airbyte.Options{MaxLineBytes: s.config.MaxLineBytes, RejectNonFinite: s.config.RejectNonFinite})
	for {
		message, err := reader.Next()
		switch {
		case errors.Is(err, io.EOF):
			s.end.stdoutEOF = true
			s.watchdog.finish()
			return
		case errors.Is(err, os.ErrDeadlineExceeded):
			return
		case err != nil:
			s.end.fault = fmt.Errorf("read stdout of the connector: %w", err)
			return
		}
		if s.take(message); s.enough { // what was read on the way is left out
			return
		}
	}
}

// take handles one message: here what is the same for all commands, by the command's own handler the rest.
func (s *session) take(message *airbyte.Message) {
	switch message.Type {
	case airbyte.TypeText:
		s.words.Add(s.logs.Connector(message.Log.Level, message.Log.Message), failedLevel(message.Log.Level))
		return
	case airbyte.TypeRecord, airbyte.TypeState:
		s.messages++
		s.signs = signs{message: true, moves: true, kind: message.Type}
	case airbyte.TypeDefect:
		if message.Defect.Kind == airbyte.DefectUnknownType && s.stranger == "" {
			s.stranger = message.Defect.Detail
		}
	default:
		s.messages++
		s.signs.message, s.signs.kind = true, message.Type
	}
	if s.messages == 1 {
		s.tellFirst()
	}
	switch message.Type {
	case airbyte.TypeLog:
		text := s.logs.Connector(message.Log.Level, message.Log.Message)
		s.words.AddMessage(text, failedLevel(message.Log.Level))
		if message.Log.Level == airbyte.LevelFatal && s.fatal == "" {
			s.fatal = cause.OfTrace(text, "", "")
		}
		if message.Log.Level == airbyte.LevelError && s.errorLog == "" {
			s.errorLog = cause.OfTrace(text, "", "")
		}
	case airbyte.TypeControl:
		s.keepConfig(message.Control)
	default:
		s.handle(message)
	}
}

// tellFirst tells the watchdog of the first message at once: the reader may be held up before it reads again.
func (s *session) tellFirst() {
	if connector := s.connector.Load(); s.messages == 1 && connector != nil {
		s.watchdog.message(connector.left, s.signs.kind, s.signs.moves)
	}
}

// idle is called before the reader waits for output. It tells the watchdog what came since the last time, once for many messages.
func (s *session) idle(now time.Time, due bool) {
	if s.signs.message {
		s.watchdog.message(s.connector.Load().left, s.signs.kind, s.signs.moves)
		s.signs = signs{}
	}
	if due {
		s.tick(now)
	}
}

// readStderr is logStderr, with a warning when that fails.
func (s *session) readStderr(connector *connector, words *cause.Tail) bool {
	ended, err := connector.logStderr(s.logs, s.config.MaxLineBytes, words)
	if err != nil {
		s.warn(err.Error())
	}
	return ended
}

// readBy ends the reading of the pipes at a deadline. It does not close them: that would kill a connector that is ending by itself. When the pipes
// are not open yet, the wait for them ends at once.
func (s *session) readBy(deadline time.Time) {
	connector := s.connector.Load()
	if connector == nil {
		s.abandon()
		return
	}
	if err := connector.readBy(deadline); err != nil && !errors.Is(err, os.ErrClosed) {
		s.logs.Warn(fmt.Sprintf("stop reading: %v", err))
	}
}

// close closes the pipes.
func (s *session) close() {
	connector := s.connector.Load()
	if connector == nil {
		return
	}
	if err := connector.close(); err != nil && !errors.Is(err, os.ErrClosed) {
		s.logs.Warn(fmt.Sprintf("close pipes: %v", err))
	}
}

// warn logs a line that also belongs into the report.
func (s *session) warn(text string) { s.warnOf("", text) }

// warnOf is warn for a line about a stream.
func (s *session) warnOf(stream, text string) {
	s.warnings.add(s.logs.Brief(text))
	s.logs.Of(stream).Warn(text)
}
