package cause

import "strings"

const (
	pythonTraceback = "Traceback (most recent call last):"
	groupTraceback  = "+ Exception Group Traceback (most recent call last):"
)

// exceptionName is the name of an exception at the beginning of a line, as "requests.exceptions.HTTPError: 404" and "java.io.IOException" have it,
// and Node.js' "Error [ERR_MODULE_NOT_FOUND]: …"; false when the line does not have this shape. The name need not be that of an exception.
func exceptionName(line string) (string, bool) {
	const longest = 200
	end := 0
	for end < len(line) && end <= longest && isNameByte(line[end]) {
		end++
	}
	if end == 0 || end > longest || isDigit(line[0]) {
		return "", false
	}
	rest := line[end:]
	if code, bracketed := strings.CutPrefix(rest, " ["); bracketed {
		if n := strings.IndexByte(code, ']'); n > 0 && n < longest {
			rest = code[n+1:]
		}
	}
	if rest == "" || rest == ":" || strings.HasPrefix(rest, ": ") {
		return line[:end], true
	}
	return "", false
}

func isNameByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || isDigit(c) || c == '.' || c == '_' || c == '$'
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// isException says whether a line by itself shows that it is an exception: its name says so.
func isException(line string) bool {
	name, ok := exceptionName(line)
	if !ok {
		return false
	}
	for _, suffix := range []string{"Error", "Exception", "Interrupt", "Failure", "Throwable", "Rejection"} {
		if strings.HasSuffix(name, suffix) {
			return true
		}
	}
	return false
}

// isFrame says whether a line without its indentation is a frame of a stack trace of Java or JavaScript.
func isFrame(line string) bool {
	return strings.HasPrefix(line, "at ") && (strings.ContainsAny(line, "(/") || strings.Contains(line, "node:")) || strings.HasPrefix(line, "... ")
}

// isCarets says whether a line without its indentation is the marker that Node.js and Python put below a line of code.
func isCarets(line string) bool { return strings.Trim(line, "^~") == "" && strings.Contains(line, "^") }

// isRecord says whether a line begins a log record, or is another line that cannot continue the text of an exception.
func isRecord(line string) bool {
	switch line[0] {
	case '{', '[', '"', '#':
		return true
	case '-':
		return strings.HasPrefix(line, "---")
	case '(':
		return strings.HasPrefix(line, "(Use `node ")
	}
	if isDigit(line[0]) {
		return len(line) > 4 && isDigit(line[1]) && isDigit(line[2]) && isDigit(line[3]) && (line[4] == '-' || line[4] == '/')
	}
	word := line[:len(line)-len(strings.TrimLeft(line, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"))]
	switch word {
	case "INFO", "WARN", "WARNING", "ERROR", "DEBUG", "TRACE", "FATAL", "CRITICAL", "NOTICE":
		return true
	}
	return isAfterword(line) || isWarning(line)
}

// isWarning says whether a line is a warning as Python prints it, often when the program ends: "sys:1: ResourceWarning: unclosed file".
func isWarning(line string) bool {
	place, _, found := strings.Cut(line, "Warning: ")
	if !found {
		return false
	}
	at := strings.LastIndex(place, ": ")
	return at > 0 && isDigit(place[at-1]) && !strings.Contains(place[at+2:], " ")
}

// isAfterword says whether a runtime prints the line after a crash without telling more about it.
func isAfterword(line string) bool {
	if strings.IndexByte(`NnsgreF("+`, line[0]) < 0 { // most lines, decided by one byte
		return false
	}
	for _, beginning := range []string{
		"Node.js v", "note: ", "stack backtrace:", "goroutine ", "runtime stack:", "exit status ", "npm ", "For further information visit ",
		"(Background on this error at: ", "(Use `node ", `"""`, "+--",
	} {
		if strings.HasPrefix(line, beginning) {
			return true
		}
	}
	return false
}

// isProgramError says whether a line is what shells, loaders and command line programs print when they fail: "sh: 1: x: not found".
func isProgramError(line string) bool {
	const longest = 500 // bytes
	if len(line) > longest {
		return false
	}
	if strings.HasPrefix(line, "error: ") || strings.HasPrefix(line, "fatal: ") {
		return true
	}
	if isRubyError(line) {
		return true
	}
	if rest, found := strings.CutPrefix(line, "exec "); found {
		return endsInProgramError(rest)
	}
	space := strings.IndexByte(line, ' ')
	if space < 2 || line[space-1] != ':' || isRecord(line) {
		return false
	}
	rest := line[space+1:]
	return strings.HasPrefix(rest, "error: ") || strings.HasPrefix(rest, "fatal: ") || strings.HasPrefix(rest, "No module named ") ||
		strings.Contains(rest, "yntax error: ") || strings.Contains(rest, "yntax error near ") || endsInProgramError(rest) ||
		strings.HasPrefix(rest, "version `") && strings.Contains(rest, "' not found (required by ")
}

// isRubyError says whether a line is what Ruby prints of an exception: "/app/main.rb:3:in `read': no access (IOError)".
func isRubyError(line string) bool {
	text, found := strings.CutSuffix(line, ")")
	if !found || !strings.Contains(text, ":in ") {
		return false
	}
	name := text[strings.LastIndexByte(text, '(')+1:]
	return len(name) < len(text) && (strings.HasPrefix(name, "Errno::") || isException(strings.ReplaceAll(name, "::", ".")))
}

func endsInProgramError(line string) bool {
	for _, end := range []string{
		": not found", ": command not found", ": executable file not found in $PATH", ": executable file not found in $PATH: unknown",
		"No such file or directory", "No such file or directory: unknown", "No such file", "required file not found", "ermission denied",
		"ermission denied: unknown", "xec format error", "Is a directory",
	} {
		if strings.HasSuffix(line, end) {
			return true
		}
	}
	return false
}
