package console

import (
	"strings"
	"unicode/utf8"

	"sync-sidecar/runner/figure"
	"sync-sidecar/sidecar/printable"
)

// Line is a text on one line, with what it may quote from outside made visible.
func Line(text string) string {
	return visible(strings.ReplaceAll(strings.TrimSpace(text), "\n", "; "))
}

// visible is a text from outside as it may stand on a line of a terminal, and in a column of a table: a tab becomes spaces.
func visible(text string) string { return strings.ReplaceAll(printable.Line(text), "\t", "    ") }

// rate is rows per second.
func rate(rows int64, seconds float64) string {
	if seconds <= 0 {
		return "0"
	}
	return figure.Thousands(int64(float64(rows) / seconds))
}

// percent is at most 99 until all is there, so that nobody waits at 100.
func percent(done, all int64) int64 {
	if all <= 0 || done >= all {
		return 100
	}
	return min(99, done*100/all)
}

// shorten cuts a text to a number of characters.
func shorten(text string, length int) string {
	if utf8.RuneCountInString(text) <= length {
		return text
	}
	return string([]rune(text)[:length-1]) + "…"
}
