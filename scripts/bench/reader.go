package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"sync-sidecar/sidecar/airbyte"
	"sync-sidecar/sidecar/pipe"
)

// The arguments by which this program is one of the two readers.
const (
	readerChild    = "read-as-the-sidecar"
	referenceChild = "read-by-way-of-a-map"
)

// reader compares the sidecar's reader with one that decodes each row into a map and encodes it again: the same pipe, the same buffers, the same
// append of the row at the end, each in a process of its own.
func reader(ctx context.Context, o options, out io.Writer) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	if o.size == 0 {
		o.size = defaultSize
	}
	t := newTable(out, fmt.Sprintf("Reader: FIFO → rows, beside encoding/json into a map and back (medians of %d rounds)", o.rounds),
		"rows", "map MB/s", "reader MB/s", "CPU s/GB map", "CPU s/GB reader", "CPU ratio", "reader ÷ map")
	for _, kind := range o.kinds {
		c := newCorpus(kind)
		// The reference is given less: its figures are per byte all the same.
		many, few := c.blocks(o.size), c.blocks(o.size/16)
		results, err := play(ctx, o.rounds,
			contestant{"map", func(ctx context.Context) (usage, error) { return readBy(ctx, o, program, referenceChild, c, few) }},
			contestant{"reader", func(ctx context.Context) (usage, error) { return readBy(ctx, o, program, readerChild, c, many) }})
		if err != nil {
			return err
		}
		byMap, ours := results[0], results[1]
		less, more := float64(c.bytes(few))/1e6, float64(c.bytes(many))/1e6
		cpuMap, cpu := byMap.cpu()/less*1e3, ours.cpu()/more*1e3
		t.row(kind, number("%.0f", less/byMap.wall()), number("%.0f", more/ours.wall()), number("%.2f", cpuMap), number("%.2f", cpu),
			number("%.1f", cpuMap/cpu), atLeast("%.1f", byMap.wallRatio(ours)*more/less, 10))
	}
	return t.end()
}

// readBy runs one of the readers on a corpus.
func readBy(ctx context.Context, o options, program, child string, c corpus, blocks int64) (usage, error) {
	folder, err := os.MkdirTemp(o.scratch, "reader-")
	if err != nil {
		return usage{}, err
	}
	fifo := filepath.Join(folder, "stdout")
	if err := makePipes(fifo); err != nil {
		return usage{}, err
	}
	p, err := start(exec.CommandContext(ctx, program, child, fifo))
	if err != nil {
		return usage{}, err
	}
	stdout, err := p.openPipe(ctx, fifo)
	if err != nil {
		return usage{}, err
	}
	began := time.Now()
	err = errors.Join(c.write(stdout, blocks), stdout.Close())
	used, waitErr := p.wait()
	used.wall = time.Since(began)
	return used, errors.Join(err, waitErr, os.RemoveAll(folder))
}

// readAsChild is what a reader does in its process.
func readAsChild(child, fifo string, out io.Writer) error {
	file, err := pipe.OpenReader(context.Background(), fifo)
	if err != nil {
		return err
	}
	batch := &rows{buffer: make([]byte, 0, 64<<10)}
	if child == readerChild {
		err = readRows(file, batch)
	} else {
		err = readMaps(file, batch)
	}
	_, printErr := fmt.Fprintln(out, batch.count, "rows")
	return errors.Join(err, file.Close(), printErr)
}

// rows takes rows as a batch does: one append into a buffer that is used again.
type rows struct {
	buffer []byte
	count  int64
}

func (r *rows) add(data []byte) {
	if len(r.buffer)+len(data)+1 > cap(r.buffer) {
		r.buffer = r.buffer[:0]
	}
	r.buffer = append(append(r.buffer, data...), '\n')
	r.count++
}

// readRows reads as the session does.
func readRows(file io.Reader, batch *rows) error {
	reader := airbyte.NewReader(file, airbyte.Options{})
	for {
		message, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if message.Type == airbyte.TypeRecord {
			batch.add(message.Record.Data)
		}
	}
}

// readMaps reads as programs do that have no scanner of their own: each line into a struct with a map, the map into JSON again.
func readMaps(file io.Reader, batch *rows) error {
	reader := bufio.NewReaderSize(file, 1<<20)
	for {
		line, err := reader.ReadSlice('\n')
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		var message struct {
			Type   string `json:"type"`
			Record struct {
				Stream    string         `json:"stream"`
				Namespace string         `json:"namespace"`
				Data      map[string]any `json:"data"`
				EmittedAt int64          `json:"emitted_at"`
			} `json:"record"`
		}
		if err := json.Unmarshal(line, &message); err != nil {
			return err
		}
		if message.Type != "RECORD" {
			continue
		}
		data, err := json.Marshal(message.Record.Data)
		if err != nil {
			return err
		}
		batch.add(data)
	}
}
