package recording

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"
)

// tee keeps what is read.
type tee struct {
	recorder *recorder
	from     *os.File
	to       *output
	marks    bool
}

// Read reads what there is, and keeps it.
func (t *tee) Read(p []byte) (int, error) {
	if t.recorder.options.Limit.First && t.marks {
		p = p[:min(len(p), narrow)]
	}
	n, err := t.from.Read(p)
	if n > 0 {
		t.recorder.last.Store(int64(time.Since(t.recorder.started)))
		if kept := t.to.write(p[:n]); kept != nil {
			return n, kept
		}
		if t.marks {
			t.to.mark(t.recorder.now())
		}
	}
	if errors.Is(err, io.EOF) {
		t.to.ended = true
	}
	return n, err
}

// output is a file that takes so many bytes.
type output struct {
	file      *os.File
	buffer    *bufio.Writer
	left      int64
	size      atomic.Int64
	truncated bool
	ended     bool
	marks     []Mark
	apart     float64 // seconds between marks
}

func newOutput(path string, limit int64) (*output, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, outputMode)
	if err != nil {
		return nil, fmt.Errorf("make the recording: %w", err)
	}
	return &output{file: file, buffer: bufio.NewWriterSize(file, 64<<10), left: limit, apart: 0.01}, nil
}

func (o *output) write(p []byte) error {
	o.size.Add(int64(len(p)))
	keep := p[:min(int64(len(p)), o.left)]
	o.truncated = o.truncated || len(keep) < len(p)
	o.left -= int64(len(keep))
	if _, err := o.buffer.Write(keep); err != nil {
		return fmt.Errorf("write the recording: %w", err)
	}
	return nil
}

// maxMarks bounds the marks: when there are so many, every second one goes.
const maxMarks = 400

func (o *output) mark(now float64) {
	if last := len(o.marks) - 1; last >= 0 && now-o.marks[last].Seconds < o.apart {
		o.marks[last].Bytes = o.size.Load()
		return
	}
	o.marks = append(o.marks, Mark{Seconds: now, Bytes: o.size.Load()})
	if len(o.marks) < maxMarks {
		return
	}
	kept := o.marks[:0]
	for i := 1; i < len(o.marks); i += 2 {
		kept = append(kept, o.marks[i])
	}
	o.marks, o.apart = kept, 2*o.apart
}

func (o *output) close() error {
	return errors.Join(o.buffer.Flush(), o.file.Close())
}
