package cause

import "strings"

// rank says how sure it is that a finding is the cause.
type rank int

const (
	nothing   rank = iota
	errorLine      // a line says that something failed
	exception      // an exception; it may have been handled
	crash          // a runtime says that the program ends
)

// finding is a cause.
type finding struct {
	rank   rank
	at     int64 // number of its last line
	head   string
	parts  []string // the lines of its text
	within string   // the text of the exception around this one
	root   string   // the exception that this one was raised from
	traced bool     // there are frames
	group  bool     // it is a Python exception group; its parts are the exceptions in it
}

const (
	// near is how many lines a finding outlasts findings of lower rank. After that it was probably handled.
	near = 100
	// maxParts is how many lines of a text are kept.
	maxParts = 8
)

func (f *finding) cause() string {
	text := join(f.parts)
	switch {
	case f.within != "" && len(f.parts) == 1 && !strings.Contains(text, ":"): // a type without a text tells little
		return withCause(f.within, text)
	default:
		return withCause(text, f.root)
	}
}

// begin makes a line the finding, unless a better one is near. Lines that follow may continue its text.
func (t *Tail) begin(r rank, line string) bool {
	t.state = idle
	if r < t.found.rank && t.lines-t.found.at <= near {
		return false
	}
	line = withoutWrapper(line)
	t.found = finding{rank: r, at: t.lines, head: kept(line), parts: append(t.found.parts[:0], kept(line))}
	t.state = inMessage
	return true
}

// more adds a line to the text of the finding.
func (t *Tail) more(line string) {
	t.found.at = t.lines
	if len(t.found.parts) < maxParts {
		t.found.parts = append(t.found.parts, kept(line))
	}
}

// causedBy makes the exception that caused the finding the finding.
func (t *Tail) causedBy(line string) {
	t.found.within = kept(t.found.cause())
	t.found.parts, t.found.at = append(t.found.parts[:0], kept(line)), t.lines
	t.state = inMessage
}

// withoutWrapper removes the name of the exception in which the Python CDK wraps every text.
func withoutWrapper(line string) string {
	if name, ok := exceptionName(line); ok && strings.HasSuffix(name, ".AirbyteTracedException") {
		return strings.TrimPrefix(line, name+": ")
	}
	return line
}

// kept is a copy of the beginning of a line, so that the text that it came from can be forgotten.
func kept(line string) string { return strings.Clone(whole(line, Limit+1)) }
