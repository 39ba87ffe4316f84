// Package logs takes the log lines of the connector and of the sidecar, masks secrets in them (I5), and carries them to stderr and to the sinks.
//
// Lines come in from any goroutine and never make it wait: what stderr or the sinks do not take in time is dropped and counted (Logger.Lost). Two
// goroutines carry lines out: one to stderr (Console), one to the sinks, in batches. So a stopped terminal, a log driver that hangs or a journal that
// is away blocks nobody else (I4).
package logs

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
	"sync-sidecar/sidecar/printable"
)

const (
	ownLogger    = "sidecar"                  // the logger of our own lines
	maxText      = 64 << 10                   // bytes of one line; longer ones are cut
	maxBriefText = 8 << 10                    // bytes of a text that is kept for the report
	cutMark      = " … (cut by sync-sidecar)" // at the end of a cut line
)

// Options say where log lines go.
type Options struct {
	Console   *Console          // our own stderr; nil shows nothing
	Format    zerolog.Logger    // writes lines to Console; its level is LOG_LEVEL's
	Sinks     []sidecar.LogSink // task_log, Bulker's log destination, log.txt; more by AddSinks
	SinkLevel airbyte.Level     // DB_LOG_LEVEL
	Connector string            // the logger of the connector's lines: its package
	Mask      func(string) string
	// Reports says that stderr is one JSON object a line, for a program to read, and that progress and the outcome go there as a Report.
	Reports bool
}

// Logger takes log lines. Its methods may be called from several goroutines and never block.
type Logger struct {
	options Options
	sinks   *sinkQueue
	stream  string // that its lines are about; empty says nothing
}

// New makes a Logger. Lines go nowhere before Start.
func New(options Options) *Logger {
	l := &Logger{options: options}
	l.sinks = newSinkQueue(options.Sinks, func(text string) { l.show(ownLogger, airbyte.LevelWarn, l.text(text)) })
	return l
}

// Of is a Logger for lines about one stream, which programs that read them are told.
func (l *Logger) Of(stream string) *Logger {
	about := *l
	about.stream = stream
	return &about
}

// AddSinks adds sinks, before Start: some are known only once a server has been reached.
func (l *Logger) AddSinks(sinks ...sidecar.LogSink) { l.sinks.sinks = append(l.sinks.sinks, sinks...) }

// Start begins to write to the sinks. The function that it returns ends that: it writes what is left, for at most limit and a few seconds.
func (l *Logger) Start(ctx context.Context) (stop func(limit time.Duration)) {
	writing, cancel := context.WithCancel(ctx)
	var writers sync.WaitGroup
	writers.Go(func() { l.sinks.run(writing) })
	return func(limit time.Duration) {
		l.sinks.limit = min(max(limit, 0), endTimeout)
		cancel()
		writers.Wait()
	}
}

// Connector takes a line of the connector and returns it as it is shown: without secrets and control sequences.
func (l *Logger) Connector(level airbyte.Level, message string) string {
	message = l.text(message)
	l.add(l.options.Connector, level, message)
	return message
}

// Error takes a line of the sidecar's own about something that failed.
func (l *Logger) Error(message string) { l.add(ownLogger, airbyte.LevelError, l.text(message)) }

// Warn takes a line of the sidecar's own that a person should read.
func (l *Logger) Warn(message string) { l.add(ownLogger, airbyte.LevelWarn, l.text(message)) }

// Debug takes a line of the sidecar's own that only somebody who looks for a fault reads.
func (l *Logger) Debug(message string) { l.add(ownLogger, airbyte.LevelDebug, l.text(message)) }

// Info takes a line of the sidecar's own.
func (l *Logger) Info(message string) { l.add(ownLogger, airbyte.LevelInfo, l.text(message)) }

// Masked is text without secrets and control sequences.
func (l *Logger) Masked(text string) string { return printable.Text(l.options.Mask(text)) }

// Brief is text as Masked gives it, short enough to be kept for the report.
func (l *Logger) Brief(text string) string { return Cut(l.Masked(text), maxBriefText) }

// Cut shortens text to limit bytes, and says so at its end. Mask secrets first: half of one would not be found.
func Cut(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	return strings.ToValidUTF8(text[:limit], "") + cutMark
}

// CutBrief shortens text as Brief does; it is for texts that hold no secret.
func CutBrief(text string) string { return Cut(text, maxBriefText) }

// Progress shows a snapshot of a running session, on stderr only.
func (l *Logger) Progress(message string, report sidecar.Report) {
	l.event(sidecar.EventProgress, message, report)
}

// Verdict queues the last line of a session for the sinks; the function that Start returned writes it. Report then shows it on stderr.
func (l *Logger) Verdict(report sidecar.Report) {
	l.store(ownLogger, verdictLevel(report), l.text(report.Line()))
}

// Report shows the last line of a session on stderr, whatever became of the sinks (I2), and where options ask for it the report.
func (l *Logger) Report(report sidecar.Report) {
	if l.options.Console != nil {
		l.options.Console.reserve()
	}
	line := l.text(report.Line())
	l.show(ownLogger, verdictLevel(report), line)
	if l.options.Reports { // otherwise the line has said it all
		l.event(sidecar.EventReport, line, report)
	}
}

func verdictLevel(report sidecar.Report) airbyte.Level {
	if report.Status != sidecar.StatusSuccess {
		return airbyte.LevelError
	}
	return airbyte.LevelInfo
}

// Lost counts the lines that will not reach a sink, and those that stderr did not take in time.
func (l *Logger) Lost() (sinks, console int64) {
	if l.options.Console != nil {
		console = l.options.Console.Dropped()
	}
	return l.sinks.lostLines(), console
}

// event writes a line with a member "event" and, where a program reads it, "report".
func (l *Logger) event(event, message string, report sidecar.Report) {
	line := l.options.Format.Info().Str("logger", ownLogger).Str("event", event)
	if l.options.Reports {
		line = line.Interface("report", report)
	}
	line.Msg(l.Masked(message))
}

// add takes a line of text.
func (l *Logger) add(logger string, level airbyte.Level, message string) {
	l.show(logger, level, message)
	l.store(logger, level, message)
}

// text is message as Masked gives it, and not too long for a line.
func (l *Logger) text(message string) string { return Cut(l.Masked(message), maxText) }

// show writes a line of text to stderr, where no line break of a connector's may begin what looks like a line of ours.
func (l *Logger) show(logger string, level airbyte.Level, message string) {
	if !l.options.Reports {
		message = printable.Indented(message, "    ")
	}
	line := l.options.Format.WithLevel(zerologLevel(level)).Str("logger", logger)
	if l.options.Reports && l.stream != "" {
		line = line.Str("stream", l.stream)
	}
	line.Msg(message)
}

// store queues a line of text for the sinks.
func (l *Logger) store(logger string, level airbyte.Level, message string) {
	if len(l.sinks.sinks) > 0 && severity(level) >= severity(l.options.SinkLevel) {
		l.sinks.add(sidecar.LogRecord{Time: time.Now().UTC(), Level: string(level), Logger: logger, Message: message})
	}
}

// LostText says how many lines were lost; empty when none were.
func (l *Logger) LostText() string {
	sinks, console := l.Lost()
	var parts []string
	if sinks > 0 {
		parts = append(parts, fmt.Sprintf("%d log lines could not be stored", sinks))
	}
	if console > 0 {
		parts = append(parts, fmt.Sprintf("%d log lines were dropped: stderr did not take them in time", console))
	}
	return strings.Join(parts, "; ")
}
