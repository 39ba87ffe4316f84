package main

import (
	"errors"
	"fmt"
	"io"
)

// blockBytes is how much is gathered before it is written: what a pipe takes at once by default.
const blockBytes = 64 << 10

// output gathers lines and writes them in blocks. It is flushed before the source waits for anything and when it ends, so no line ever lies idle
// in it, and a state per row costs no write per row.
type output struct {
	file   io.WriteCloser
	lines  []byte // whole lines, unless a fault cut one
	piece  int    // largest write in bytes; 0 writes all at once
	closed bool   // by a fault: what follows is lost
	err    error  // the first error of a write; nothing is written after it
}

func newOutput(file io.WriteCloser) *output {
	return &output{file: file, lines: make([]byte, 0, 2*blockBytes)}
}

// spill writes when there is a block to write.
func (o *output) spill() error {
	if len(o.lines) < blockBytes {
		return o.err
	}
	return o.flush()
}

// flush writes everything.
func (o *output) flush() error {
	lines := o.lines
	o.lines = o.lines[:0]
	if cap(o.lines) > 16*blockBytes {
		o.lines = make([]byte, 0, 2*blockBytes) // a huge row has passed
	}
	for len(lines) > 0 && o.err == nil && !o.closed {
		piece := lines
		if o.piece > 0 && len(piece) > o.piece {
			piece = piece[:o.piece]
		}
		if _, err := o.file.Write(piece); err != nil {
			o.err = fmt.Errorf("write stdout: %w", err)
		}
		lines = lines[len(piece):]
	}
	return o.err
}

// close flushes and closes the file; later lines are lost.
func (o *output) close() error {
	err := errors.Join(o.flush(), o.file.Close())
	o.closed = true
	return err
}

// line appends a line that is not a message.
func (o *output) line(text string) error {
	o.lines = append(append(o.lines, text...), '\n')
	return o.spill()
}

// message appends a message.
func (o *output) message(m message) error {
	lines, err := appendMessage(o.lines, m)
	if err != nil {
		return fmt.Errorf("encode %s message: %w", m.Type, err)
	}
	o.lines = lines
	return o.spill()
}
