package cause

import "strings"

// startsPython takes the lines around and between Python's tracebacks.
func (t *Tail) startsPython(line string) bool {
	switch {
	case strings.HasPrefix(line, pythonTraceback):
		if !t.chained {
			t.root = ""
		}
		t.chained = false
		if t.state == headNoise {
			t.state = inNoise
		} else {
			t.state = inPython
		}
		return true
	case strings.HasPrefix(line, "The above exception was the direct cause of the following exception:"):
		if t.chained = true; t.root == "" {
			t.root = join(t.found.parts)
		}
		return true
	case strings.HasPrefix(line, "During handling of the above exception, another exception occurred:"):
		t.root, t.chained = "", true
		return true
	case strings.HasPrefix(line, "Exception ignored in: "), strings.HasPrefix(line, "Error in atexit."), line == "--- Logging error ---":
		t.state = headNoise
		return true
	default:
		return false
	}
}

// pythonException takes the line of a Python traceback that names the exception. That of an error of syntax does not say where it is, but the line of
// the traceback before it does.
func (t *Tail) pythonException(line string) {
	if name, _ := exceptionName(line); len(t.place) > 0 && (name == "SyntaxError" || name == "IndentationError" || name == "TabError") {
		line += " (" + string(t.place) + ")"
	}
	root := t.root
	if t.begin(exception, line) {
		t.found.root, t.found.traced = root, true
	}
	t.root, t.place = "", t.place[:0]
}

// groupLine takes a line of an exception group's traceback, which is drawn with | and +; false when the line is not of it.
func (t *Tail) groupLine(line string) bool {
	line = strings.TrimLeft(line, " ")
	if strings.HasPrefix(line, "+") {
		return true
	}
	line, drawn := strings.CutPrefix(line, "|")
	if !drawn {
		t.state = inMessage
		return false
	}
	line = strings.TrimPrefix(line, " ")
	switch {
	case line == "" || line[0] == ' ' || strings.HasPrefix(line, pythonTraceback) || strings.HasPrefix(line, "The above exception was ") ||
		strings.HasPrefix(line, "During handling of "):
	case t.found.group && t.found.rank == exception:
		t.more(line)
	default:
		if t.begin(exception, line) {
			t.found.group, t.found.traced = true, true
		}
	}
	t.state = inGroup
	return true
}
