package airbyte

import (
	"bytes"
	"strings"
)

// parseLevel maps the level names of log4j, Python logging, zap, zerolog, java.util.logging, npm and syslog to the protocol's levels; false for any
// other word.
func parseLevel(name string) (Level, bool) {
	switch strings.ToUpper(name) {
	case "FATAL", "CRITICAL", "PANIC", "EMERG", "EMERGENCY", "ALERT", "FTL", "PNC", "DPANIC":
		return LevelFatal, true
	case "ERROR", "ERR", "ERR!", "SEVERE", "ERRO", "EROR":
		return LevelError, true
	case "WARN", "WARNING", "WRN":
		return LevelWarn, true
	case "INFO", "INF", "NOTICE", "INFORMATION":
		return LevelInfo, true
	case "DEBUG", "DBG", "FINE", "CONFIG", "DEBU":
		return LevelDebug, true
	case "TRACE", "TRC", "FINER", "FINEST", "VERBOSE":
		return LevelTrace, true
	default:
		return "", false
	}
}

// guessLevel reads the level from a line of prose; false means that the line does not give one, and INFO is assumed.
func guessLevel(text string) (Level, bool) {
	const (
		searched = 200 // bytes: loggers write the level before the message
		words    = 8   // likewise
	)
	head := text[:min(len(text), searched)]
	for n, word := range strings.FieldsFunc(head, func(r rune) bool { return r == ' ' || r == '\t' || r == '|' }) {
		if n == words {
			break
		}
		if level, ok := wordLevel(word, n == 0); ok {
			return level, true
		}
	}
	return phraseLevel(text)
}

// wordLevel is the level that a word stands for: INFO, [warn], WARNING:root:, level=error, or klog's E0102 as the first word. A lower-case word
// counts only in a form that prose does not have. false when the word is no level.
func wordLevel(word string, first bool) (Level, bool) {
	if key, name, found := strings.Cut(word, "="); found {
		switch strings.ToLower(key) {
		case "level", "lvl", "severity":
			return parseLevel(strings.Trim(name, `"',`))
		}
		return "", false
	}
	name := strings.TrimLeft(word, "[(<*")
	bracketed := name != word
	name = strings.TrimRight(name, ",.-*")
	if before, _, found := strings.Cut(name, ":"); found {
		name, bracketed = before, bracketed || first
	}
	if before, _, found := strings.Cut(name, "]"); found {
		name = before
	}
	name = strings.TrimRight(name, ")>")
	if first && len(name) == 5 && strings.Trim(name[1:], "0123456789") == "" {
		if n := strings.IndexByte("IWEF", name[0]); n >= 0 {
			return []Level{LevelInfo, LevelWarn, LevelError, LevelFatal}[n], true
		}
	}
	if !bracketed && name != strings.ToUpper(name) {
		return "", false
	}
	return parseLevel(name)
}

// phraseLevel knows crashes and warnings that runtimes print without a level; false for any other text.
func phraseLevel(text string) (Level, bool) {
	switch {
	case strings.HasPrefix(text, "panic: "), strings.HasPrefix(text, "fatal error: "):
		return LevelFatal, true
	case strings.HasPrefix(text, pythonTraceback), strings.HasPrefix(text, "Exception in thread "), strings.HasPrefix(text, "npm ERR!"),
		strings.HasPrefix(text, "Killed"), strings.HasPrefix(text, "Segmentation fault"), strings.HasPrefix(text, "Caused by: "),
		exceptionLine(text):
		return LevelError, true
	case strings.Contains(text, "Warning: "), strings.HasPrefix(text, "SLF4J: Failed"), strings.HasPrefix(text, "SLF4J: Defaulting"),
		strings.HasPrefix(text, "log4j:WARN"):
		return LevelWarn, true
	default:
		return LevelInfo, false
	}
}

// exceptionLine says whether the line begins with the name of an exception of Python, Java or JavaScript: "requests.exceptions.HTTPError: 404 …",
// "java.io.IOException", "TypeError: …".
func exceptionLine(text string) bool {
	name, _, _ := strings.Cut(text, ":")
	if strings.ContainsAny(name, " \t/=\"'") {
		return false
	}
	for _, suffix := range []string{"Error", "Exception", "Interrupt", "Exit", "Failure", "Throwable"} {
		if strings.HasSuffix(name, suffix) {
			return true
		}
	}
	return false
}

// plain is a line as a person reads it: valid UTF-8, without terminal control sequences and trailing white space, with its indentation, and cut to
// limit bytes.
func plain(text []byte, limit int) string {
	text = bytes.TrimPrefix(bytes.TrimRight(text, " \t\r\v\f\x00"), []byte(byteOrderMark))
	whole := len(text)
	if whole > limit {
		text = text[:limit]
	}
	return clip(strings.ToValidUTF8(string(withoutColours(text)), "\uFFFD"), limit, whole)
}

// withoutColours removes the control sequences of ECMA-48 that begin with ESC [, such as colours.
func withoutColours(text []byte) []byte {
	if bytes.IndexByte(text, 0x1B) < 0 {
		return text
	}
	var rest []byte
	for i := 0; i < len(text); i++ {
		if text[i] != 0x1B || i+1 == len(text) || text[i+1] != '[' {
			rest = append(rest, text[i])
			continue
		}
		for i += 2; i < len(text) && (text[i] < 0x40 || text[i] > 0x7E); i++ {
		}
	}
	return rest
}
