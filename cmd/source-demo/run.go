package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// streamRun is the reading of one stream.
type streamRun struct {
	stream
	job        *job
	namespace  string
	descriptor []byte // as JSON
	prefix     []byte // a record's line up to its data

	incremental bool
	cursor      string          // the field that an incremental read follows
	checkpoints bool            // there are states on the way
	state       json.RawMessage // as it came in; nil when it did not help
	start       int64           // the position of that state
	total       int64           // the last position there is

	position   int64 // of the last record
	read       int64 // records of this run
	sinceState int64
	strikeAt   int64 // the number of records at which a fault of this stream is due

	started, done, failed bool

	// Changes to the next record's line, and what follows when it is written; by faults.
	alters []func(line []byte) []byte
	after  []func() error
}

// newStreamRun prepares to read a stream from its state on.
func newStreamRun(j *job, s stream, configured configuredStream, state json.RawMessage) (*streamRun, error) {
	run := &streamRun{stream: s, job: j, namespace: j.config.Namespace, total: s.count,
		incremental: configured.SyncMode == incremental, cursor: strings.Join(configured.CursorField, ".")}
	run.checkpoints = run.incremental || j.config.Resumable
	if run.incremental && run.cursor == cursorID && j.config.UpdateEvery > 0 {
		return nil, fmt.Errorf("cursor_field of stream %q: id does not see the updates that update_every asks for; use updated_at", s.name)
	}
	var err error
	if run.descriptor, err = json.Marshal(run.described()); err != nil {
		return nil, fmt.Errorf("encode descriptor of stream %q: %w", s.name, err)
	}
	namespace := ""
	if run.namespace != "" {
		namespace = `"namespace":` + quote(run.namespace) + ","
	}
	run.prefix = fmt.Appendf(nil, `{"type":"RECORD","record":{"stream":%s,%s"data":`, quote(s.name), namespace)
	if err := run.resume(state); err != nil {
		return nil, err
	}
	if run.incremental {
		run.grow()
	}
	run.position = run.start
	return run, nil
}

// grow adds the rows that have come since the source was read to its end.
func (r *streamRun) grow() {
	if grow := r.job.config.Grow; grow > 0 && r.state != nil && r.start >= r.total {
		r.total += grow * ((r.start-r.total)/grow + 1)
	}
	r.total = min(r.total, maxPosition)
}

func (r *streamRun) described() descriptor {
	return descriptor{Name: r.name, Namespace: r.namespace}
}

func (r *streamRun) atEnd() bool { return r.position >= r.total }

// estimate is what the stream will send; the bytes are those of a sample.
func (r *streamRun) estimate() *estimate {
	rows := max(0, r.total-r.start)
	sample := r.job.data.appendRow(nil, r.kind, r.shard, max(1, r.total/2))
	return &estimate{Name: r.name, Namespace: r.namespace, Type: stateStream, Rows: rows, Bytes: rows * int64(len(sample))}
}

// record writes the next record.
func (r *streamRun) record() error {
	j := r.job
	if j.rows%64 == 0 {
		j.tick()
	}
	r.position++
	start := len(j.out.lines)
	b := append(j.out.lines, r.prefix...)
	b = j.data.appendRow(b, r.kind, r.shard, r.position)
	j.out.lines = append(b, j.emittedAt...)
	r.read++
	r.sinceState++
	j.rows++
	j.sinceState++
	if len(r.alters) > 0 {
		return r.altered(start)
	}
	return j.out.spill()
}

// altered applies the changes that faults asked for to the line that begins at start.
func (r *streamRun) altered(start int) error {
	alters, after := r.alters, r.after
	r.alters, r.after = nil, nil
	line := bytes.Clone(r.job.out.lines[start:])
	for _, alter := range alters {
		line = alter(line)
	}
	r.job.out.lines = append(r.job.out.lines[:start], line...)
	for _, then := range after {
		if err := then(); err != nil {
			return err
		}
	}
	return r.job.out.spill()
}

// alterNext changes the next record's line, line feed included; after is called when it is written, and may be nil.
func (r *streamRun) alterNext(alter func(line []byte) []byte, after func() error) error {
	if r == nil {
		return nil // there are no records in spec, check and discover
	}
	r.alters = append(r.alters, alter)
	if after != nil {
		r.after = append(r.after, after)
	}
	return nil
}

// insertNext puts members at the beginning of the next record's data.
func (r *streamRun) insertNext(members func([]byte) []byte) error {
	return r.alterNext(func(line []byte) []byte {
		at := bytes.Index(line, []byte(`"data":{`)) + len(`"data":{`)
		rest := bytes.Clone(line[at:])
		return append(members(line[:at]), rest...)
	}, nil)
}
