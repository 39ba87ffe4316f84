package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
)

// streamRows is how many small rows each stream brings, one stream after the other.
const streamRows = 20

// streamsGoal is how many times as long a stream may take among the most streams as among the fewest.
const streamsGoal = 1.5

// streamKind is one way in which many streams are read into a local folder.
type streamKind struct {
	name    string
	mode    string // full_refresh or incremental
	into    string // the destination's sync mode
	state   string // STREAM or GLOBAL
	resumed bool   // measured is a second read, which goes on from the states of the first
}

// streamKinds are the kinds that are measured.
func streamKinds() []streamKind {
	return []streamKind{
		{name: "full refresh, overwrite", mode: "full_refresh", into: "overwrite", state: "STREAM"},
		{name: "full refresh, append", mode: "full_refresh", into: "append", state: "STREAM"},
		{name: "incremental", mode: "incremental", into: "append", state: "STREAM"},
		{name: "incremental, with keys", mode: "incremental", into: "append_dedup", state: "STREAM"},
		{name: "incremental, again", mode: "incremental", into: "append_dedup", state: "STREAM", resumed: true},
		{name: "incremental, GLOBAL", mode: "incremental", into: "append", state: "GLOBAL"},
	}
}

// manyStreams shows that a stream takes as long among ten thousand as among a hundred.
func manyStreams(ctx context.Context, o options, out io.Writer) error {
	counts := []int{100, 1000, 10_000}
	columns := []string{"kind"}
	for _, count := range counts {
		columns = append(columns, fmt.Sprintf("%d streams: s", count), "ms a stream")
	}
	title := "Streams: %d rows and a state of each of many streams, one after the other, into a local folder (once)"
	t := newTable(out, fmt.Sprintf(title, streamRows), append(columns, "CPU ms a stream", "peak MiB", "last ÷ first")...)
	for _, kind := range streamKinds() {
		cells := []string{kind.name}
		var each []float64
		var last usage
		for _, count := range counts {
			used, err := kind.read(ctx, o, count)
			if err != nil {
				return fmt.Errorf("%s, %d streams: %w", kind.name, count, err)
			}
			each, last = append(each, used.wall.Seconds()*1e3/float64(count)), used
			cells = append(cells, number("%.1f", used.wall.Seconds()), number("%.2f", each[len(each)-1]))
		}
		most := float64(counts[len(counts)-1])
		cells = append(cells, number("%.2f", last.cpu.Seconds()*1e3/most), number("%.0f", float64(last.peak)/(1<<20)),
			atMost("%.2f", each[len(each)-1]/each[0], streamsGoal))
		t.row(cells...)
	}
	return t.end()
}

// read reads so many streams, and measures the last read.
func (k streamKind) read(ctx context.Context, o options, count int) (used usage, err error) {
	data, err := os.MkdirTemp(o.scratch, "data-")
	if err != nil {
		return usage{}, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(data)) }()
	var state []byte
	for _, measured := range []bool{false, true} {
		if !measured && !k.resumed {
			continue
		}
		s, err := startReading(ctx, o, input{catalog: k.catalog(count), state: state, data: data}, "")
		if err != nil {
			return usage{}, err
		}
		if used, err = s.feed(ctx, func(stdout *os.File) error { return k.write(stdout, count) }); err != nil {
			return usage{}, err
		}
		state = k.states(count)
	}
	return used, k.check(data, count)
}

// check counts the files of rows.
func (k streamKind) check(data string, count int) error {
	files, err := filepath.Glob(filepath.Join(data, "bench", "rows", "*.ndjson"))
	if err == nil && len(files) != count {
		err = fmt.Errorf("%d files of rows are there", len(files))
	}
	return err
}

// catalog is the configured catalog of the streams.
func (k streamKind) catalog(count int) []byte {
	var streams []string
	for n := range count {
		streams = append(streams, fmt.Sprintf(`{"stream":{"name":"%s","json_schema":{"type":"object"},`+
			`"supported_sync_modes":["full_refresh","incremental"]},"sync_mode":"%s","destination_sync_mode":"%s","cursor_field":["id"],`+
			`"primary_key":[["id"]]}`, streamName(n), k.mode, k.into))
	}
	return []byte(`{"streams":[` + strings.Join(streams, ",") + `]}`)
}

// write writes a transcript: each stream begins, brings its rows and its state, and is complete.
func (k streamKind) write(out io.Writer, count int) error {
	random := rand.New(rand.NewPCG(1, 2))
	var lines bytes.Buffer
	row := rowOf(random, "small", 0)[len(`{"id":0`):]
	for n := range count {
		name := streamName(n)
		writeStatus(&lines, name, "STARTED")
		for id := range streamRows {
			fmt.Fprintf(&lines, `{"type":"RECORD","record":{"stream":"%s","data":{"id":%d%s,"emitted_at":1735850275276}}`+"\n", name, id, row)
		}
		if k.state == "GLOBAL" {
			fmt.Fprintf(&lines, `{"type":"STATE","state":{"type":"GLOBAL","global":{"shared_state":{"lsn":%d},"stream_states":[]}}}`+"\n", n)
		} else {
			fmt.Fprintf(&lines, `{"type":"STATE","state":{"type":"STREAM","stream":{"stream_descriptor":{"name":"%s"},"stream_state":{"id":%d}}}}`+"\n",
				name, streamRows)
		}
		writeStatus(&lines, name, "COMPLETE")
		if lines.Len() > 1<<20 || n == count-1 {
			if err := writeAll(out, lines.Bytes()); err != nil {
				return err
			}
			lines.Reset()
		}
	}
	return nil
}

// states is the state file that the next read starts from.
func (k streamKind) states(count int) []byte {
	var states []string
	for n := range count {
		states = append(states, fmt.Sprintf(`{"type":"STREAM","stream":{"stream_descriptor":{"name":"%s"},"stream_state":{"id":%d}}}`,
			streamName(n), streamRows))
	}
	return []byte("[" + strings.Join(states, ",") + "]")
}
