package cause

import "strings"

// Tail keeps the best cause that the output of a source gives so far. The zero value is ready. It keeps a few lines of at most Limit bytes each,
// however much output there is, and of most lines it looks only at the beginning and the end.
type Tail struct {
	lines int64 // so far, without blank ones
	state state
	found finding

	root    string // of a Python traceback: the exception that caused the one to come
	chained bool   // the next Python traceback follows from the one before

	place  []byte // the last place in a Python program that was named
	last   []byte // the last line that is not indented
	lastAt int64  // its number
}

// state says where in a stack trace or a message the output is.
type state int

const (
	idle      state = iota
	inMessage       // after the line of an exception: its text may have further lines
	inFrames        // in the frames of Java or JavaScript
	inPython        // in the frames of a Python traceback: the line that names the exception is to come
	inGroup         // in the traceback of a Python exception group
	inChain         // in the causes of an error of Rust's anyhow
	inUsage         // after the usage that a command line parser prints: the error is to come
	inNoise         // in a traceback that tells nothing about the failure
	headNoise       // before such a traceback
	expecting       // after the marker below a line of code: the exception is to come
)

// Add takes a line of stderr, or one of stdout that is not a message, or several such lines. failed says that it was logged as an error. Lines that
// follow may belong to the same stack trace.
func (t *Tail) Add(text string, failed bool) {
	for {
		line, rest, more := strings.Cut(text, "\n")
		t.line(strings.TrimRight(line, " \t\r"), failed)
		if !more {
			break
		}
		text, failed = rest, false
	}
	if t.found.rank == errorLine && t.state == inMessage { // a log line ends with its text
		t.state = idle
	}
}

// AddMessage takes a whole log message, stack trace included; failed says that its level is ERROR or FATAL.
func (t *Tail) AddMessage(text string, failed bool) {
	t.state = idle
	t.Add(text, failed)
	t.state = idle
}

// Cause is the cause that the output gives; empty when it gives none. It can be asked at any time.
func (t *Tail) Cause() string { return clip(t.found.cause()) }

// LastLine is the last line that is not indented and says something. Programs that do not log say why they failed there, but it may be any line.
func (t *Tail) LastLine() string { return clip(string(t.last)) }

func (t *Tail) line(line string, failed bool) {
	if line == "" {
		if t.state == inMessage {
			t.state = idle
		}
		return
	}
	t.lines++
	if t.state == inGroup && t.groupLine(line) {
		return
	}
	if line[0] == ' ' || line[0] == '\t' {
		t.indented(strings.TrimLeft(line, " \t"))
		return
	}
	t.unindented(line, failed)
	if len(line) > len("}]") && !isAfterword(line) {
		t.last, t.lastAt = append(t.last[:0], line[:min(len(line), Limit+1)]...), t.lines
	}
}

func (t *Tail) indented(line string) {
	if strings.HasPrefix(line, `File "`) {
		t.place = append(t.place[:0], line[:min(len(line), Limit)]...)
	}
	switch t.state {
	case inMessage:
		switch {
		case isFrame(line):
			t.state, t.found.traced = inFrames, true
		case strings.HasPrefix(line, groupTraceback):
			t.state = inGroup
		case !isAfterword(line):
			t.more(line)
		}
	case inFrames:
		if cause, found := strings.CutPrefix(line, "[cause]: "); found {
			t.causedBy(cause)
		}
	case inChain:
		number, cause, numbered := strings.Cut(line, ": ")
		if !numbered || strings.Trim(number, "0123456789") != "" {
			cause = line
		}
		t.more(cause)
	case idle, inUsage, expecting:
		switch {
		case strings.HasPrefix(line, groupTraceback):
			t.state = inGroup
		case isCarets(line):
			t.state = expecting
		case isFrame(line) && t.lastAt == t.lines-1 && t.begin(exception, string(t.last)):
			t.state, t.found.traced = inFrames, true
		}
	}
}

func (t *Tail) unindented(line string, failed bool) {
	state := t.state
	if t.starts(line) {
		return
	}
	t.state = idle
	switch {
	case state == inPython || state == inNoise:
		if _, named := exceptionName(line); !named || isRecord(line) { // another thread's line
			t.state = state
		} else if state == inPython {
			t.pythonException(line)
		}
	case isException(line) && len(t.place) > 0: // a program with an error of syntax has frames, but no heading
		t.pythonException(line)
	case isException(line):
		t.begin(exception, line)
	case state == expecting && !isRecord(line):
		t.begin(exception, line)
	case state == inUsage && strings.Contains(line, ": error: "):
		t.begin(crash, line)
		t.state = idle
	case isCarets(line):
		t.state = expecting
	case state == inMessage && !failed && !isRecord(line) && !isProgramError(line):
		t.state = inMessage
		t.more(line)
	case failed || isProgramError(line):
		if t.begin(errorLine, line); !failed {
			t.state = idle
		}
	}
	if t.state != inPython && t.state != inNoise {
		t.place = t.place[:0]
	}
}

// starts takes the lines with which a runtime begins to tell of a failure, wherever they come.
func (t *Tail) starts(line string) bool {
	switch line[0] {
	case 'T':
		return t.startsPython(line) || strings.HasPrefix(line, "Terminating due to ") && t.crashed(line)
	case 'D', '-':
		return t.startsPython(line)
	case 'E':
		if rest, found := strings.CutPrefix(line, `Exception in thread "`); found {
			if _, after, ended := strings.Cut(rest, `" `); ended {
				t.begin(crash, after)
				return true
			}
		}
		return t.startsPython(line) || strings.HasPrefix(line, "Error occurred during initialization of VM") && t.crashed(line)
	case 'C':
		return t.startsCause(line)
	case 'p':
		return strings.HasPrefix(line, "panic: ") && t.crashed(line)
	case 'P':
		if strings.HasPrefix(line, "PHP Fatal error: ") || strings.HasPrefix(line, "PHP Parse error: ") {
			t.crashed(line)
			t.state = idle
			return true
		}
	case 'f':
		return strings.HasPrefix(line, "fatal error: ") && t.crashed(line)
	case 'F':
		if strings.HasPrefix(line, "Fatal Python error: ") || strings.HasPrefix(line, "FATAL ERROR: ") {
			t.crashed(line)
			t.state = idle
			return true
		}
	case 't':
		isPanic := strings.HasPrefix(line, "thread '") && strings.Contains(line, " panicked at ")
		return (isPanic || strings.HasPrefix(line, "terminate called ")) && t.crashed(line)
	case 'u', 'U':
		if strings.HasPrefix(line[1:], "sage:") {
			t.state = inUsage
			return true
		}
		rest, unhandled := strings.CutPrefix(line, "Unhandled exception. ") // of .NET
		return unhandled && t.crashed(rest)
	}
	return false
}

// crashed begins a finding of the highest rank.
func (t *Tail) crashed(line string) bool {
	t.begin(crash, line)
	return true
}

// startsCause takes Java's "Caused by: " of the exception before, and the "Caused by:" of Rust's anyhow, below which the causes are.
func (t *Tail) startsCause(line string) bool {
	cause, found := strings.CutPrefix(line, "Caused by:")
	switch {
	case !found:
		return false
	case cause == "":
		if t.found.rank >= exception && t.lines-t.found.at <= 2 {
			t.state = inChain
		}
		return true
	case t.state == inMessage || t.state == inFrames:
		t.causedBy(strings.TrimSpace(cause))
		return true
	default:
		t.begin(exception, strings.TrimSpace(cause))
		return true
	}
}
