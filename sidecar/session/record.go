package session

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
)

// handle takes one message. The reader's, as everything in this file.
func (r *read) handle(m *airbyte.Message) {
	switch m.Type {
	case airbyte.TypeRecord:
		r.moved = true
		r.record(&m.Record)
	case airbyte.TypeState:
		r.moved = true
		r.state(m.State)
	case airbyte.TypeTrace:
		r.trace(m.Trace)
	case airbyte.TypeDefect:
		r.defect(m.Defect)
	case airbyte.TypeConnectionStatus:
		if m.ConnectionStatus.Status == "FAILED" && r.connectorError == "" {
			r.connectorError = r.causeOf(m.ConnectionStatus.Message, "", "")
		}
	default:
		r.logs.Info(fmt.Sprintf("%s message during read: ignored", m.Type))
	}
}

// errFile is why a stream of files is not delivered: a record holds no data then, and the file is on the connector's own disk.
var errFile = errors.New("its records stand for files, which are not delivered: leave the stream out, or set include_files to false in its catalog")

// record takes a row.
func (r *read) record(record *airbyte.Record) {
	s := r.last
	if s == nil || !s.is(record.Namespace, record.Stream) {
		if s = r.find(record.Namespace, record.Stream, "a row", r.loseAll); s == nil {
			return
		}
	}
	if r.overLimit(s) {
		return
	}
	now := r.connector.Load().left
	if s.began.IsZero() {
		s.began = now
	}
	if s.read == 0 {
		r.beginAnew(s)
	}
	s.read++
	if record.File {
		r.loader.Fail(s.index, errFile)
	}
	s.tally.Row()
	r.global.Row()
	data := record.Data
	if r.reserved.in(data) {
		if data = r.unreserved(s, data); data == nil {
			return
		}
	}
	r.extra = r.extra[:0]
	if r.config.AddMeta || len(record.Changes) > 0 {
		r.extra = appendMeta(r.extra, r.config.AddMeta, now, record.Changes)
	}
	if limit := r.capabilities.RowBytes; limit > 0 && rowSize(data, r.extra) > limit {
		if data = r.shrink(s, data, record.Changes, limit, now); data == nil {
			return
		}
	}
	if s.config.Mode == sidecar.ReplaceWhole && r.loader.Ended(s.index) {
		r.lose(s, "rows came after the stream was complete")
		return
	}
	r.loader.Row(s.index, data, r.extra)
}

// rowSize is the number of bytes of a row with extra members, without its line feed.
func rowSize(data, extra []byte) int {
	if len(extra) == 0 {
		return len(data)
	}
	return len(data) + len(",") + len(extra)
}

// appendMeta appends the members that the sidecar adds to a row: upstream's _jitsu_timestamp, and what was changed in the row.
func appendMeta(dst []byte, timestamp bool, now time.Time, changes []airbyte.Change) []byte {
	if timestamp {
		dst = append(dst, `"_jitsu_timestamp":"`...)
		dst = now.UTC().AppendFormat(dst, "2006-01-02T15:04:05.000000Z")
		dst = append(dst, '"')
	}
	if len(changes) == 0 {
		return dst
	}
	if len(dst) > 0 {
		dst = append(dst, ',')
	}
	encoded, err := json.Marshal(changes)
	if err != nil { // cannot be: three strings each
		return dst
	}
	dst = append(dst, `"_airbyte_meta":{"changes":`...)
	dst = append(dst, encoded...)
	return append(dst, '}')
}
