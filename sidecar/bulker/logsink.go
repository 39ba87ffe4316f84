package bulker

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"sync-sidecar/sidecar"
)

const (
	// logTable is the table of log lines, as Jitsu's sidecar named it.
	logTable = "task_log"
	// logConnections is how many log lines are on their way at once: /post takes one object a request.
	logConnections = 4
	// logTimeout bounds one log line.
	logTimeout = 30 * time.Second
)

// LogSink posts log lines to a destination of Bulker, one JSON object a line, in the form that Jitsu's sidecar gave them while it still posted them
// (sync-sidecar/main.go at commit e651ef5, sendLog) with the columns of today's table. Bulker answers when a line is queued: it reaches
// the warehouse with the destination's next batch, minutes later.
type LogSink struct {
	options Options
	address string
	http    *http.Client
}

var _ sidecar.LogSink = (*LogSink)(nil)

// NewLogSink checks the options, of which DestinationID is LOGS_CONNECTION_ID; it does not connect.
func NewLogSink(o Options) (*LogSink, error) {
	o = o.withDefaults()
	base, err := o.base("LOGS_CONNECTION_ID")
	if err != nil {
		return nil, err
	}
	address := base.JoinPath("post", o.DestinationID)
	address.RawQuery = url.Values{"tableName": {logTable}}.Encode()
	return &LogSink{options: o, address: address.String(), http: newHTTPClient(logConnections)}, nil
}

// logLine is a row of task_log.
type logLine struct {
	ID        string    `json:"id"`
	SyncID    string    `json:"sync_id"`
	TaskID    string    `json:"task_id"`
	Timestamp time.Time `json:"timestamp"`
	Level     string    `json:"level"`
	Logger    string    `json:"logger"`
	Message   string    `json:"message"`
}

// LogError says how many lines of a batch were not taken.
type LogError struct {
	Lost  int
	Of    int
	Cause error // of the first one
}

// Error is the count and the first cause.
func (e *LogError) Error() string {
	return fmt.Sprintf("%d of %d log lines were not taken by bulker: %v", e.Lost, e.Of, e.Cause)
}

// Unwrap is the first cause.
func (e *LogError) Unwrap() error { return e.Cause }

// AppendLogs implements sidecar.LogSink. It posts every line it can, also after one failed, and returns a *LogError that counts the others; those
// are not kept. Once the context has ended, the rest counts as lost.
func (s *LogSink) AppendLogs(ctx context.Context, logs []sidecar.LogRecord) error {
	var group errgroup.Group
	group.SetLimit(logConnections)
	failures := make([]error, len(logs))
	for i, record := range logs {
		group.Go(func() error {
			failures[i] = s.post(ctx, record)
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	failures = slices.DeleteFunc(failures, func(err error) bool { return err == nil })
	if len(failures) > 0 {
		return &LogError{Lost: len(failures), Of: len(logs), Cause: failures[0]}
	}
	return nil
}

// post sends one line.
func (s *LogSink) post(ctx context.Context, record sidecar.LogRecord) error {
	line, err := json.Marshal(logLine{
		ID: uuid.NewString(), SyncID: s.options.SyncID, TaskID: s.options.TaskID,
		Timestamp: record.Time.UTC(), Level: record.Level, Logger: record.Logger, Message: record.Message,
	})
	if err != nil {
		return fmt.Errorf("encode a log line: %w", err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, logTimeout, &expiredError{after: logTimeout, phase: "bulker did not take a log line"})
	defer cancel()
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.address, bytes.NewReader(line))
	if err != nil {
		return fmt.Errorf("log destination %s: %w", s, err)
	}
	request.Header.Set("Content-Type", "application/json")
	authorize(request, s.options.Token)
	response, err := s.http.Do(request)
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return fmt.Errorf("cannot reach %s: %w", s, plain(err, s.options.Token))
	}
	a, err := readAnswer(response, s.options.Token)
	if err != nil {
		return fmt.Errorf("%s: %w", s, err)
	}
	if a.status != http.StatusOK {
		return errors.New(s.refusal(a))
	}
	return nil
}

// refusal is what a person needs to know of an answer other than 200.
func (s *LogSink) refusal(a answer) string {
	switch a.status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return fmt.Sprintf("%s did not let us in (%s): check BULKER_AUTH_TOKEN", s, a)
	case http.StatusNotFound:
		return fmt.Sprintf("%s does not exist (%s): check LOGS_CONNECTION_ID", s, a)
	}
	return fmt.Sprintf("%s: %s", s, a)
}

// String names the sink in messages, without secrets.
func (s *LogSink) String() string {
	return fmt.Sprintf("bulker's log destination %s at %s", s.options.DestinationID, host(s.options.URL))
}

// Close drops idle connections.
func (s *LogSink) Close() { s.http.CloseIdleConnections() }
