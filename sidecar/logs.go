package sidecar

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"sync-sidecar/sidecar/airbyte"
)

const (
	logQueue     = 10_000                     // lines that may wait for the sinks; more are dropped and counted
	logQueueSize = 8 << 20                    // bytes of their texts
	logBatch     = 500                        // lines in one write
	logInterval  = time.Second                // between two writes
	logTimeout   = 10 * time.Second           // for one write
	logFinal     = 5 * time.Second            // for the last lines at the end of a session
	logHurried   = time.Second                // the same after a signal, whose grace period the verdict may have used up
	ownLogger    = "sidecar"                  // the logger of our own lines
	logTextLimit = 64 << 10                   // bytes of one line; longer ones are cut
	logCut       = " … (cut by sync-sidecar)" // at the end of a cut line
	briefLimit   = 8 << 10                    // bytes of a text that is kept for the report
)

// LogOptions say where log lines go.
type LogOptions struct {
	Local     zerolog.Logger // our own stderr; its level is LOG_LEVEL
	Sinks     []LogSink      // task_log, Bulker's log destination, log.txt
	SinkLevel airbyte.Level  // DB_LOG_LEVEL
	Source    string         // the logger of the source's lines: its package
	Mask      func(string) string
	// Reports says that the outcome goes to stderr as a Report too, for a program to read.
	Reports bool
}

// Logs takes the lines of the source and our own, masks secrets (I5), writes them to stderr at once and to the sinks in batches. It never blocks:
// what the sinks cannot take in time is dropped and counted.
type Logs struct {
	options LogOptions
	wake    chan struct{}
	done    chan struct{}

	mu      sync.Mutex
	queue   []LogRecord
	queued  int // bytes of the texts in queue
	dropped int64
	lost    int64 // could not be written
	failing bool  // the last write failed, and that was said
}

// NewLogs starts writing to the sinks, until Close.
func NewLogs(options LogOptions) *Logs {
	l := &Logs{options: options, wake: make(chan struct{}, 1), done: make(chan struct{})}
	return l
}

// Source takes a line of the source.
func (l *Logs) Source(level airbyte.Level, message string) {
	l.add(l.options.Source, level, message)
}

// Error takes a line of our own about something that failed.
func (l *Logs) Error(message string) { l.add(ownLogger, airbyte.LevelError, message) }

// Warn takes a line of our own that a person should read.
func (l *Logs) Warn(message string) { l.add(ownLogger, airbyte.LevelWarn, message) }

// Info takes a line of our own.
func (l *Logs) Info(message string) { l.add(ownLogger, airbyte.LevelInfo, message) }

// Masked is a text without secrets.
func (l *Logs) Masked(text string) string { return l.options.Mask(text) }

// Brief is a text without secrets, short enough to be kept.
func (l *Logs) Brief(text string) string { return cutText(l.options.Mask(text), briefLimit) }

// cutText shortens a text. Secrets are masked before: half of one would not be found.
func cutText(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	return strings.ToValidUTF8(text[:limit], "") + logCut
}

// Event writes a Report to stderr only, as a log line with "event" and "report" (see EventProgress).
func (l *Logs) Event(event, message string, report Report) {
	line := l.options.Local.Info().Str("logger", ownLogger).Str("event", event)
	if l.options.Reports {
		line = line.Interface("report", report)
	} else if event == EventReport {
		return // the verdict's own line has said it
	}
	line.Msg(l.options.Mask(message))
}

func (l *Logs) add(logger string, level airbyte.Level, message string) {
	message = l.text(message)
	l.show(logger, level, message)
	l.store(logger, level, message)
}

// text is a line without secrets, and not too long.
func (l *Logs) text(message string) string { return cutText(l.options.Mask(message), logTextLimit) }

// show writes a line of text to stderr.
func (l *Logs) show(logger string, level airbyte.Level, message string) {
	l.options.Local.WithLevel(zerologLevel(level)).Str("logger", logger).Msg(message)
}

// store queues a line of text for the sinks.
func (l *Logs) store(logger string, level airbyte.Level, message string) {
	if len(l.options.Sinks) == 0 || severity(level) < severity(l.options.SinkLevel) {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.queue) >= logQueue || l.queued+len(message) > logQueueSize {
		l.dropped++
		return
	}
	l.queued += len(message)
	l.queue = append(l.queue, LogRecord{Time: time.Now().UTC(), Level: string(level), Logger: logger, Message: message})
	if len(l.queue) >= logBatch {
		select {
		case l.wake <- struct{}{}:
		default:
		}
	}
}

// errHurried is the cause with which Run ends after a signal.
var errHurried = errors.New("a signal leaves little time")

// Run writes to the sinks until ctx ends, and then what is left, within logFinal.
func (l *Logs) Run(ctx context.Context) {
	ticker := time.NewTicker(logInterval)
	defer ticker.Stop()
	for ctx.Err() == nil {
		select {
		case <-ticker.C:
		case <-l.wake:
		case <-ctx.Done():
		}
		if ctx.Err() == nil {
			l.flush(ctx)
		}
	}
	limit := logFinal
	if errors.Is(context.Cause(ctx), errHurried) {
		limit = logHurried
	}
	final, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer cancel()
	for l.flush(final) && final.Err() == nil {
	}
}

// flush writes one batch to every sink and says whether more is waiting.
func (l *Logs) flush(ctx context.Context) (more bool) {
	l.mu.Lock()
	n := min(len(l.queue), logBatch)
	records := slices.Clone(l.queue[:n])
	l.queue = slices.Delete(l.queue, 0, n)
	for _, record := range records {
		l.queued -= len(record.Message)
	}
	more = len(l.queue) > 0
	if l.dropped > 0 {
		records = append(records, LogRecord{Time: time.Now().UTC(), Level: string(airbyte.LevelWarn), Logger: ownLogger,
			Message: fmt.Sprintf("%d log lines were dropped: they came faster than they could be stored", l.dropped)})
		l.lost, l.dropped = l.lost+l.dropped, 0
	}
	l.mu.Unlock()
	if len(records) == 0 {
		return more
	}
	ctx, cancel := context.WithTimeout(ctx, logTimeout)
	defer cancel()
	for _, sink := range l.options.Sinks {
		if err := sink.AppendLogs(ctx, records); err != nil {
			l.failed(err, int64(len(records)))
		} else {
			l.mu.Lock()
			l.failing = false
			l.mu.Unlock()
		}
	}
	return more
}

// failed counts lines that a sink did not take and says so once, on stderr only.
func (l *Logs) failed(err error, n int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lost += n
	if !l.failing {
		l.failing = true
		l.options.Local.Warn().Str("logger", ownLogger).Msg(l.options.Mask(fmt.Sprintf("log lines could not be stored: %v", err)))
	}
}

// Lost is the number of lines that no longer can reach a sink.
func (l *Logs) Lost() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lost + l.dropped
}

// severity orders levels.
func severity(level airbyte.Level) int {
	switch level {
	case airbyte.LevelFatal:
		return 5
	case airbyte.LevelError:
		return 4
	case airbyte.LevelWarn:
		return 3
	case airbyte.LevelDebug:
		return 1
	case airbyte.LevelTrace:
		return 0
	default:
		return 2
	}
}

func zerologLevel(level airbyte.Level) zerolog.Level {
	switch severity(level) {
	case 5, 4: // zerolog's own fatal would end the process
		return zerolog.ErrorLevel
	case 3:
		return zerolog.WarnLevel
	case 1:
		return zerolog.DebugLevel
	case 0:
		return zerolog.TraceLevel
	default:
		return zerolog.InfoLevel
	}
}
