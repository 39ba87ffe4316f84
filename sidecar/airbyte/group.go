package airbyte

import (
	"bytes"
	"fmt"
	"strings"
)

const (
	// maxLog is the longest log message in bytes; the rest is cut with a note. Airbyte's platform cuts stack traces at 100,000 characters.
	maxLog = 128 << 10

	pythonTraceback = "Traceback (most recent call last):"
)

// group joins the lines of one log message: a stack trace, and indented lines below their heading.
type group struct {
	text  strings.Builder
	level Level
	sure  bool // the level was said, not assumed
	trace traceKind
	// chained says that the last line announced another Python traceback, threw that the group names an exception.
	chained, threw bool
	last           int64 // line number of its last line
}

// traceKind is the shape of the stack trace that a group holds.
type traceKind int

const (
	noTrace traceKind = iota
	pythonTrace
	pythonDone // the line that names the exception has come
	goTrace
)

// read takes the lines that belong to the group, as far as they have arrived.
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

// notProse says whether a line is to be read on its own: it is JSON, or holds a message or a part of one.
func notProse(text []byte) bool {
	return bytes.HasPrefix(text, []byte("{")) || nextMessage(text, 0) < len(text) || private(text)
}

// log is the message so far.
func (g *group) log() Log { return Log{Level: g.level, Message: g.text.String()} }

// start begins a group with the text of a line. What can only be the rest of the group before, because that was handed on when the output paused,
// keeps its level.
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

// wants says whether the line continues the group, and follows the shape of its trace.
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

// continues says whether the line can only be the rest of a message: it is indented, or Java goes on with a stack trace.
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

// clip cuts text to at most limit bytes, and says so when it is not the whole any more.
func clip(text string, limit, whole int) string {
	if len(text) > limit {
		text = strings.ToValidUTF8(text[:limit], "")
	}
	if whole <= limit {
		return text
	}
	return fmt.Sprintf("%s … (cut, %d bytes in all)", text, whole)
}
