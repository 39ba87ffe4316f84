package airbyte

import (
	"bytes"
	"fmt"
	"strings"
)

const (
	// maxLog is the longest log message in bytes. A longer one is cut, and says so. Airbyte's platform cuts stack traces at 100,000 characters.
	maxLog = 128 << 10

	pythonTraceback = "Traceback (most recent call last):"
)

// group joins lines to one log message: a stack trace, or a line and the indented lines below it.
type group struct {
	text    strings.Builder
	level   Level
	sure    bool // the text gives the level; otherwise it is assumed
	trace   traceKind
	chained bool  // its last line announces another Python traceback
	threw   bool  // one of its lines names an exception
	last    int64 // number of its last line
}

// traceKind is the shape of the stack trace that a group holds.
type traceKind int

const (
	noTrace traceKind = iota
	pythonTrace
	pythonDone // a Python traceback whose last line, which names the exception, has come
	goTrace
)

// read takes the lines that belong to the group, as far as they are buffered, and returns the message.
func (g *group) read(l *lines) Log {
	for l.ready() {
		next, whole := l.peek()
		if !whole || notProse(trim(next)) || !g.joins(plain(next, maxLog)) {
			break
		}
		g.last = l.take().number
	}
	return g.log()
}

// notProse says whether a line must not join a group: it is JSON, or holds a message or a part of one.
func notProse(text []byte) bool {
	return bytes.HasPrefix(text, []byte("{")) || nextMessage(text, 0) < len(text) || messagePart(text)
}

// log is the message so far.
func (g *group) log() Log { return Log{Level: g.level, Message: g.text.String()} }

// start begins a group with the text of a line. When the output paused, the group before was returned unfinished; a line that can only be the rest of
// it keeps its level.
func (g *group) start(text string, number int64) Log {
	torn := continues(text) && g.level != "" && g.last+1 == number
	g.last = number
	if !torn {
		g.level, g.sure = guessLevel(text)
	}
	g.text.Reset()
	g.text.WriteString(text)
	g.trace, g.chained, g.threw = traceOf(text), false, exceptionLine(text)
	return g.log()
}

// joins says whether the line belongs to the group, and adds it if so.
func (g *group) joins(text string) bool {
	if !g.wants(text) || g.text.Len()+len(text) > maxLog {
		return false
	}
	g.text.WriteByte('\n')
	g.text.WriteString(text)
	if kind := traceOf(text); kind != noTrace {
		g.trace = kind
	}
	if g.threw = g.threw || exceptionLine(text); (g.threw || g.trace != noTrace) && !g.sure {
		g.level, g.sure = LevelError, true
	}
	return true
}

// wants says whether the line continues the group. It keeps track of where in a stack trace the group is.
func (g *group) wants(text string) bool {
	if text == "" {
		return false
	}
	if continues(text) {
		return true
	}
	chained := g.chained
	g.chained = false
	switch g.trace {
	case pythonTrace:
		g.trace = pythonDone
		return true
	case pythonDone:
		g.chained = strings.HasPrefix(text, "During handling of the above exception") || strings.HasPrefix(text, "The above exception was the direct cause")
		return g.chained || chained && traceOf(text) == pythonTrace
	case goTrace:
		_, sure := guessLevel(text)
		return !sure && (strings.HasSuffix(text, ")") || strings.HasSuffix(text, ":") || strings.HasPrefix(text, "created by ") ||
			strings.HasPrefix(text, "[signal ") || strings.HasPrefix(text, "exit status "))
	default:
		return !g.threw && (traceOf(text) == pythonTrace || exceptionLine(text) && g.level != LevelInfo)
	}
}

// continues says whether the line can only be a part of a message that began before it: it is indented, or the middle of a Java stack trace.
func continues(text string) bool {
	for _, beginning := range []string{" ", "\t", "Caused by: ", "Suppressed: ", "... "} {
		if strings.HasPrefix(text, beginning) {
			return true
		}
	}
	return false
}

// traceOf is the kind of stack trace that the line begins.
func traceOf(text string) traceKind {
	switch {
	case strings.HasPrefix(text, pythonTraceback):
		return pythonTrace
	case strings.HasPrefix(text, "panic: "), strings.HasPrefix(text, "fatal error: "), strings.HasPrefix(text, "goroutine "):
		return goTrace
	default:
		return noTrace
	}
}

// clip cuts text to at most limit bytes. When that is less than the whole, which had so many bytes, it adds a note.
func clip(text string, limit, whole int) string {
	if len(text) > limit {
		text = strings.ToValidUTF8(text[:limit], "")
	}
	if whole <= limit {
		return text
	}
	return fmt.Sprintf("%s … (cut, %d bytes in all)", text, whole)
}
