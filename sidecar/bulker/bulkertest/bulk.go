package bulkertest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

const (
	firstBuffer = 10 << 10 // router.go
	maxLine     = 1 << 20  // with its line feed
)

// refusal is an answer other than 200.
type refusal struct {
	status int
	text   string // empty is an empty body
	fault  *Fault // did it
}

func (r *refusal) Error() string { return r.text }

func refuse(format string, args ...any) error {
	return &refusal{status: http.StatusBadRequest, text: fmt.Sprintf(format, args...)}
}

// bulk is BulkHandler of router.go.
func (s *Server) bulk(w http.ResponseWriter, r *http.Request) {
	request := Request{Load: loadOf(r), ContentLength: r.ContentLength}
	load := &load{server: s, Load: request.Load, fault: s.faults.next(request.Table)}
	commit, err := load.take(w, r.Body)
	request.Rows, request.Status = load.rows, http.StatusOK
	var refused *refusal
	switch {
	case errors.As(err, &refused):
		request.Status, request.Error = refused.status, refused.text
	case err != nil:
		request.Status, request.Error = http.StatusInternalServerError, masked("create stream error")
	}
	// Remembered before the answer goes out: who has the answer finds the request.
	s.remember(request)
	switch {
	case refused != nil && refused.fault != nil: // the fault has answered
	case request.Status != http.StatusOK && request.Error == "":
		w.WriteHeader(request.Status)
	case request.Status != http.StatusOK:
		writeError(w, request.Status, request.Error)
	case commit == nil:
		writeJSON(w, http.StatusOK, map[string]any{"message": "ok"})
	default:
		writeJSON(w, http.StatusOK, map[string]any{"message": "ok", "state": stateOf(*commit)})
	}
}

// loadOf reads the parameters.
func loadOf(r *http.Request) Load {
	query := r.URL.Query()
	l := Load{
		Destination: r.PathValue("destination"), Table: query.Get("tableName"), Mode: query.Get("mode"), PrimaryKey: query["pk"],
		TaskID: query.Get("taskId"), JobID: query.Get("jobId"), Schema: r.Header.Get("X-Jitsu-Schema"),
	}
	if l.Mode == "" {
		l.Mode = ModeReplaceTable
	}
	return l
}

// stateOf is bulkerlib.State as /bulk gives it (bulkerlib/bulker.go).
func stateOf(c Commit) map[string]any {
	return map[string]any{
		"representation": map[string]any{"name": c.Table}, "status": "COMPLETED", "mode": c.Mode, "processedRows": c.Rows, "successfulRows": c.Rows,
		"processedBytes": 0, "processingTimeSec": 0, "queueSize": 0,
	}
}

// load is one request to /bulk on its way.
type load struct {
	Load
	server    *Server
	fault     *Fault
	fields    []string   // that the schema declares
	warehouse *warehouse // nil when rows are discarded
	pace      pace
	rows      int64
	bytes     int64
}

// take reads the rows and commits them; no commit and no error when there are none.
func (l *load) take(w http.ResponseWriter, in io.Reader) (*Commit, error) {
	if err := l.check(); err != nil {
		return nil, err
	}
	if err := l.meet(w, AtHeaders); err != nil {
		return nil, err
	}
	l.pace = pace{perSecond: l.server.options.RowsPerSecond, started: time.Now()}
	var spool *spool
	if !l.server.options.Discard {
		var err error
		if spool, err = l.server.spool(); err != nil {
			return nil, err
		}
		defer spool.discard()
		l.warehouse = newWarehouse(l.Load, l.fields)
	}
	err := l.read(w, in, spool)
	if err != nil && (l.Mode != ModeStream || l.rows == 0) {
		return nil, err
	}
	if l.rows == 0 {
		return nil, nil //nolint:nilnil // what Bulker does: no rows, no state, no error
	}
	committed, commitErr := l.commit(w, spool)
	if err == nil {
		err = commitErr
	}
	return committed, err
}

// check does what creating the stream does.
func (l *load) check() error {
	switch l.Mode {
	case ModeStream, ModeBatch, ModeReplaceTable:
	default: // replace_partition too: HTTP has no parameter for the partition
		return &refusal{status: http.StatusInternalServerError, text: masked("create stream error")}
	}
	if l.Schema == "" {
		return nil
	}
	var schema struct {
		Name   string
		Fields []struct {
			Name string
			Type int // a number, and nothing else
		}
	}
	if err := json.Unmarshal([]byte(l.Schema), &schema); err != nil {
		return refuse("schema unmarshal error: %v", err)
	}
	for _, field := range schema.Fields {
		l.fields = append(l.fields, field.Name)
	}
	return nil
}

// meet lets a fault strike that is for this moment.
func (l *load) meet(w http.ResponseWriter, moment Moment) error {
	if l.fault.strikes(moment, l.rows) && l.server.strike(w, l.fault) {
		return &refusal{status: l.fault.Status, text: l.fault.Error, fault: l.fault}
	}
	return nil
}

// read takes all rows.
func (l *load) read(w http.ResponseWriter, in io.Reader, spool *spool) error {
	if spool == nil {
		return l.count(w, in)
	}
	if err := l.meet(w, AtRow); err != nil { // after row 0
		return err
	}
	scanner := bufio.NewScanner(in)
	scanner.Buffer(make([]byte, firstBuffer), maxLine)
	for scanner.Scan() {
		line := scanner.Bytes()
		if err := checkLine(line); err != nil {
			return err
		}
		l.rows++
		l.bytes += int64(len(line)) + 1
		kept, err := l.warehouse.take(line)
		if err == nil {
			err = spool.add(kept)
		}
		if err != nil {
			return err
		}
		l.server.wait(l.pace.ahead(l.rows))
		if err := l.meet(w, AtRow); err != nil {
			return err
		}
	}
	if err := scanner.Err(); err != nil {
		return refuse("scanner error: %v", err)
	}
	return nil
}

// checkLine is what the loop of BulkHandler does with a line.
func checkLine(line []byte) error {
	if bytes.HasPrefix(line, []byte("ABORT")) {
		return refuse("aborted: %s", line)
	}
	trimmed := bytes.TrimLeft(line, " \t\r")
	if len(trimmed) > 0 && trimmed[0] == '{' && json.Valid(line) {
		return nil
	}
	if string(bytes.TrimSpace(line)) == "null" {
		return &refusal{status: http.StatusInternalServerError} // a panic, which gin answers
	}
	var object map[string]json.RawMessage
	err := json.Unmarshal(line, &object)
	return refuse("unmarhsal error: %v", err)
}

// count takes rows without looking at them.
func (l *load) count(w http.ResponseWriter, in io.Reader) error {
	buffer := make([]byte, 256<<10)
	for {
		n, err := in.Read(buffer)
		l.bytes += int64(n)
		l.rows += int64(bytes.Count(buffer[:n], []byte("\n")))
		l.server.wait(l.pace.ahead(l.rows))
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return refuse("scanner error: %v", err)
		}
		if l.fault != nil && l.fault.Moment == AtRow && l.rows >= l.fault.Row && l.server.strike(w, l.fault) {
			return &refusal{status: l.fault.Status, text: l.fault.Error, fault: l.fault}
		}
	}
}

// commit makes the rows durable. That nobody waits for it any more does not stop it.
func (l *load) commit(w http.ResponseWriter, spool *spool) (*Commit, error) {
	if l.fault != nil && !l.fault.Commit {
		if err := l.meet(w, AtEnd); err != nil {
			return nil, err
		}
	}
	l.server.wait(l.server.options.MergeTime)
	commit := Commit{Load: l.Load, Rows: l.rows, Bytes: l.bytes}
	if l.warehouse != nil {
		existing := l.server.Columns(l.Table)
		if failure := l.warehouse.complete(existing); failure != "" {
			return nil, refuse("stream complete error: %s", failure)
		}
		commit.Columns, commit.Dropped = l.warehouse.added(existing), droppedAtEnd(l.Table)
	}
	commit, err := l.server.commit(commit, spool)
	if err != nil {
		return nil, refuse("stream complete error: %v", err)
	}
	if l.fault != nil && l.fault.Commit {
		if err := l.meet(w, AtEnd); err != nil {
			return nil, err
		}
	}
	return &commit, nil
}

// pace spreads rows over time.
type pace struct {
	perSecond int
	started   time.Time
}

// ahead is how long to wait with rows taken so far; pauses below 2 ms are saved up.
func (p pace) ahead(rows int64) time.Duration {
	if p.perSecond <= 0 {
		return 0
	}
	due := time.Duration(float64(rows) / float64(p.perSecond) * float64(time.Second))
	if early := due - time.Since(p.started); early > 2*time.Millisecond {
		return early
	}
	return 0
}
