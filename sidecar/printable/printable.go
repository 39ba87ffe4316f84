// Package printable makes texts of others fit to be shown: on a terminal, in a log, in a table. Comes in: what a connector, a server or an image
// says. Goes out: the same with everything that is not to be seen made visible, as \x1b or \u202e, so that it can move no cursor, set no clipboard
// (OSC 52), hide or reorder no text, and forge no line of ours.
//
// What is made visible is everything that is no letter, mark, number, punctuation, symbol or space: control characters (C0, DEL, C1), format
// characters (bidirectional overrides and isolates, zero width, tags), line and paragraph separators, code points that are not assigned, bytes that
// are no UTF-8; and marks and letters that no font draws. A tab stays. A backslash stays too: these are texts for people, not to be read back.
//
// Plain text comes back as it is, without a copy, and so does what these functions return.
package printable

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Line makes a text one line: line breaks become \n and \r. It is for names and for messages within a line.
func Line(text string) string { return visible(text, false) }

// Text keeps the lines of a text. CR LF is one line break. It is for what is stored, or written in a form that marks each line's end itself, such as
// JSON; on a terminal its lines can look like ours: see Indented.
func Text(text string) string {
	if strings.Contains(text, "\r\n") {
		text = strings.ReplaceAll(text, "\r\n", "\n")
	}
	return visible(text, true)
}

// Indented is Text for a terminal or a log of lines: every line but the first begins with indent, so that it cannot look like a line of ours. Line
// breaks at the end are left out. Unlike the others it is not to be used twice.
func Indented(text, indent string) string {
	text = strings.TrimRight(Text(text), "\n")
	if !strings.Contains(text, "\n") {
		return text
	}
	return strings.ReplaceAll(text, "\n", "\n"+indent)
}

// JSON escapes in a JSON document what Line would make visible, as \u202e, so that it is the same document and can be shown.
func JSON(document []byte) []byte {
	at := hidden(string(document), true)
	if at == len(document) {
		return document
	}
	out := append(make([]byte, 0, len(document)+len(document)/8), document[:at]...)
	for rest := string(document[at:]); rest != ""; {
		char, size := utf8.DecodeRuneInString(rest)
		switch {
		case isVisible(char, size) || char == '\n' || char == '\t' || char == '\r':
			out = append(out, rest[:size]...)
		case char > 0xffff:
			first, second := (char-0x10000)>>10+0xd800, (char-0x10000)&0x3ff+0xdc00
			out = fmt.Appendf(out, `\u%04x\u%04x`, first, second)
		default: // a byte that is no UTF-8 is U+FFFD here, as for every reader of JSON
			out = fmt.Appendf(out, `\u%04x`, char)
		}
		rest = rest[size:]
	}
	return out
}

// visible makes what is hidden in a text visible.
func visible(text string, lines bool) string {
	at := hidden(text, lines)
	if at == len(text) {
		return text
	}
	var out strings.Builder
	out.Grow(len(text) + len(text)/8)
	for {
		out.WriteString(text[:at])
		text = text[at:]
		if text == "" {
			return out.String()
		}
		char, size := utf8.DecodeRuneInString(text)
		switch {
		case char == utf8.RuneError && size == 1:
			fmt.Fprintf(&out, `\x%02x`, text[0])
		case char == '\n':
			out.WriteString(`\n`)
		case char == '\r':
			out.WriteString(`\r`)
		case char < 0x80:
			fmt.Fprintf(&out, `\x%02x`, char)
		case char > 0xffff:
			fmt.Fprintf(&out, `\U%08x`, char)
		default:
			fmt.Fprintf(&out, `\u%04x`, char)
		}
		text = text[size:]
		at = hidden(text, lines)
	}
}

// hidden is where the first thing is that has to be made visible, or the length of the text.
func hidden(text string, lines bool) int {
	var before rune // the character before, unless it is ASCII
	for at := 0; at < len(text); {
		if c := text[at]; c < utf8.RuneSelf {
			if c < ' ' && c != '\t' && (c != '\n' || !lines) || c == 0x7f {
				return at
			}
			at++
			before = 0
			continue
		}
		char, size := utf8.DecodeRuneInString(text[at:])
		if !isVisible(char, size) && (before == 0 || !joins(char, text[at+size:])) {
			return at
		}
		at += size
		before = char
	}
	return len(text)
}

// joins says whether a character is a zero-width joiner that does its work: within an emoji, or in scripts that choose a letter's shape by it. Beside
// ASCII it has none, and makes two names look alike.
func joins(char rune, after string) bool {
	if char != '\u200d' && char != '\u200c' {
		return false
	}
	next, size := utf8.DecodeRuneInString(after)
	return next >= utf8.RuneSelf && isVisible(next, size)
}

// isVisible says whether a character, of so many bytes, is drawn, or is a space.
func isVisible(char rune, size int) bool {
	switch {
	case char == utf8.RuneError && size <= 1:
		return false
	case char < utf8.RuneSelf:
		return char >= ' ' && char != 0x7f
	case unicode.IsLetter(char): // nearly always
		return char != 0x115f && char != 0x1160 && char != 0x3164 && char != 0xffa0 // Hangul fillers, which nobody sees
	case char == 0xfe0f || char == 0xfe0e: // choose between an emoji and its sign
		return true
	case unicode.Is(unicode.Variation_Selector, char) || unicode.Is(unicode.Other_Default_Ignorable_Code_Point, char):
		return false
	}
	return unicode.IsGraphic(char)
}
