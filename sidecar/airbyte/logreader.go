package airbyte

import (
	"fmt"
	"io"
)

// LogReader reads a source's stderr as log messages. It starts no goroutine.
type LogReader struct {
	lines *lines
	group group
}

// NewLogReader returns a LogReader of r. It reads from r only during Next. A line of more than maxLine bytes is cut; 0 means 128 KiB, which is also
// the most.
func NewLogReader(r io.Reader, maxLine int) *LogReader {
	if maxLine <= 0 || maxLine > maxLog {
		maxLine = maxLog
	}
	l := newLines(r, maxLine, maxLine)
	l.chunk = logReadSize
	return &LogReader{lines: l}
}

// Next returns the next message: one line, or several that belong together, such as a stack trace, as far as they have arrived. Once it has a line it
// does not wait for another. At the end it returns io.EOF; after any other error it can be called again.
func (r *LogReader) Next() (Log, error) {
	l, err := r.lines.next()
	if err != nil {
		return Log{}, err
	}
	if l.over {
		text := plain(unpad(l.text), r.lines.keep)
		level, _ := guessLevel(text)
		return Log{Level: level, Message: fmt.Sprintf("%s … (cut, %d bytes in all)", text, l.size)}, nil
	}
	if log, ok := messageLog(l.text); ok {
		return log, nil
	}
	r.group.start(plain(unpad(l.text), maxLog), l.number)
	return r.group.read(r.lines), nil
}

// messageLog reads a line that is a JSON object as a log message; false when it is not one. A message of the protocol other than LOG does not
// belong on stderr: only its type is shown.
func messageLog(text []byte) (Log, bool) {
	var e envelope
	end := e.scan(text, 0)
	if end < 0 || skipSpace(text, end) != len(text)-1-padding {
		return Log{}, false
	}
	object := value{text, span{0, end}}
	kind := e.messageType(text)
	if kind == TypeLog {
		if log, err := decodeLog(object.member("log")); err == nil {
			return *log, true
		}
	}
	if knownType(kind) {
		return Log{Level: LevelWarn, Message: fmt.Sprintf("%s message on stderr ignored (%d bytes): the protocol is read from stdout", kind, end)}, true
	}
	return jsonLog(object)
}
