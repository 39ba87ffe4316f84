// Package cause finds the one line that tells a person why a source failed. In comes what the source said: the three texts of a TRACE error, or its
// log messages and its stderr, line by line. Out comes a line of at most Limit bytes.
//
// Texts come out as the source wrote them, control characters included, but shortened, and with lines joined. So mask secrets before: half of a
// secret, or one that ran over two lines, cannot be recognised afterwards (I5).
package cause

import (
	"strings"
	"unicode/utf8"
)

// Limit is the most bytes that a cause has. A longer one is cut and ends in "…".
const Limit = 2 << 10

// OfTrace is the cause that a TRACE error gives. That is its message, unless the message only says that something went wrong or points to the logs:
// then the truth stands in internal_message or at the end of stack_trace. A message that holds a stack trace itself is reduced to its cause, so
// OfTrace serves for the message of a failed CONNECTION_STATUS too. The result is empty when all three are.
func OfTrace(message, internal, stack string) string {
	said, internally := withoutTrace(message), withoutTrace(internal)
	known, complete := substance(said)
	if said == internally { // one was taken for the other
		known, complete = "", false
	}
	if complete {
		return clip(withExceptionText(known, stack))
	}
	deeper := underlying(said, internally, stack)
	switch {
	case deeper == "":
		return clip(said)
	case known == "" || strings.Contains(deeper, known):
		return clip(deeper)
	default:
		return clip(known + ": " + deeper)
	}
}

// withoutTrace is a text on one line, with the cause in place of a stack trace that is in it.
func withoutTrace(text string) string {
	text = strings.TrimSpace(text)
	if !strings.Contains(text, "\n") {
		return text
	}
	if before, after, found := strings.Cut(text, pythonTraceback); found {
		return strings.TrimSpace(oneLine(before) + " " + ofText(after, true).cause())
	}
	if f := ofText(text, false); f.rank >= exception && f.traced {
		return f.cause()
	}
	return oneLine(text)
}

// ofText is what a whole text tells; with traceback it begins after the heading of a Python traceback.
func ofText(text string, traceback bool) *finding {
	var t Tail
	if traceback {
		t.Add(pythonTraceback, false)
	}
	t.Add(text, false)
	return &t.found
}

// oneLine joins the lines of a text, as far as a cause can be long.
func oneLine(text string) string {
	var parts []string
	for size := 0; text != "" && size <= Limit; {
		var line string
		line, text, _ = strings.Cut(text, "\n")
		if line = strings.TrimSpace(line); line != "" {
			parts = append(parts, line)
			size += len(line)
		}
	}
	return join(parts)
}

// substance is what a message says when it does not point to the logs, and whether that is the whole of what it has to say: complete is false when it
// points to the logs, or says no more than that something went wrong.
func substance(said string) (known string, complete bool) {
	known = strings.TrimSpace(said)
	if i := strings.LastIndex(strings.TrimRight(known, "."), ". "); pointsToLogs(known[i+1:]) {
		known = strings.TrimRight(known[:i+1], ". ")
		if generic(known) {
			return "", false
		}
		return known, false
	}
	if generic(known) {
		return "", false
	}
	return known, true
}

// pointsToLogs says whether a sentence sends the reader to the logs, as "See the logs for more details." of Airbyte's Python and Java CDKs does, and
// "Please check the logged errors for more information." of the former's file sources.
func pointsToLogs(sentence string) bool {
	const longest = 100
	if len(sentence) > longest {
		return false
	}
	sentence = strings.TrimPrefix(strings.ToLower(strings.TrimSpace(sentence)), "please ")
	return (strings.HasPrefix(sentence, "see ") || strings.HasPrefix(sentence, "check ")) &&
		(strings.Contains(sentence, "logs") || strings.Contains(sentence, "logged ") || strings.Contains(sentence, " log "))
}

// generic says whether a sentence says no more than that something went wrong.
func generic(sentence string) bool {
	switch strings.ToLower(strings.Trim(sentence, " .!:")) {
	case "", "something went wrong in the connector", "something went wrong", "an error occurred", "an unexpected error occurred",
		"an unknown error occurred", "unexpected error", "unknown error", "internal error", "error", "exception", "failure", "failed", "none", "null":
		return true
	default:
		return false
	}
}

// withExceptionText completes a message that ends in the type of the exception, and nothing of what it says: the Python CDK's "An unexpected error
// occurred in stream users: KeyError".
func withExceptionText(known, stack string) string {
	f := ofText(stack, false)
	name, ok := exceptionName(f.head)
	if !ok || len(f.head) == len(name) {
		return known
	}
	short := name[strings.LastIndexByte(name, '.')+1:]
	if before, ends := strings.CutSuffix(known, short); ends && (before == "" || strings.HasSuffix(before, " ")) {
		return before + f.cause()
	}
	return known
}

// underlying is the cause that the internal message and the stack trace give together, beside what the message said.
func underlying(said, internal, stack string) string {
	f := ofText(stack, false)
	traced := f.cause()
	if traced == said { // the Python CDK gives its exceptions the message as their text
		traced = ""
	}
	if known, complete := substance(internal); !complete {
		internal = known
	}
	switch {
	case internal == "":
		return traced
	case traced == "" || strings.Contains(internal, traced):
		return internal
	case strings.Contains(traced, internal) || strings.Contains(f.head, internal): // the exception's type and text, or what caused it
		return traced
	default: // an exception of its own, with the stack trace of another
		return withCause(internal, traced)
	}
}

func withCause(text, cause string) string {
	if cause == "" || strings.Contains(text, cause) {
		return text
	}
	return text + " (caused by " + cause + ")"
}

// join makes one line of several.
func join(parts []string) string {
	var b strings.Builder
	for i, part := range parts {
		if i > 0 {
			if last := parts[i-1]; last == "" || strings.IndexByte(":,;.", last[len(last)-1]) < 0 {
				b.WriteByte(';')
			}
			b.WriteByte(' ')
		}
		b.WriteString(part)
	}
	return b.String()
}

// clip makes a text a cause: one line of at most Limit bytes.
func clip(text string) string {
	text = strings.ReplaceAll(text, "\n", " ")
	if len(text) <= Limit {
		return text
	}
	return whole(text, Limit-len("…")) + "…"
}

// whole is the beginning of a text of at most so many bytes, without a part of a character at its end.
func whole(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	for back := 0; back < utf8.UTFMax && limit > back; back++ {
		if utf8.RuneStart(text[limit-back]) {
			return text[:limit-back]
		}
	}
	return text[:limit]
}
