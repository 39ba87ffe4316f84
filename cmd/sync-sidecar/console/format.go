package console

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"sync-sidecar/sidecar/printable"
)

// Line is a text on one line, with what it may quote from outside made visible.
func Line(text string) string {
	return visible(strings.ReplaceAll(strings.TrimSpace(text), "\n", "; "))
}

// visible is a text from outside as it may stand on a line of a terminal, and in a column of a table: a tab becomes spaces.
func visible(text string) string { return strings.ReplaceAll(printable.Line(text), "\t", "    ") }

// thousands is a number with a comma between thousands.
func thousands(n int64) string {
	digits := strconv.FormatInt(n, 10)
	first := 0
	if n < 0 {
		first = 1
	}
	for at := len(digits) - 3; at > first; at -= 3 {
		digits = digits[:at] + "," + digits[at:]
	}
	return digits
}

// size is a number of bytes with three digits or so.
func size(bytes int64) string {
	value, unit := float64(bytes), 0
	units := []string{"B", "KB", "MB", "GB", "TB"}
	for value >= 999.5 && unit < len(units)-1 {
		value /= 1000
		unit++
	}
	if unit == 0 || value >= 100 {
		return fmt.Sprintf("%.0f %s", value, units[unit])
	}
	return fmt.Sprintf("%.1f %s", value, units[unit])
}

// clock is a duration given in seconds, as precise as a person wants it.
func clock(seconds float64) string {
	duration := time.Duration(seconds * float64(time.Second))
	if duration < time.Second {
		return duration.Round(10 * time.Millisecond).String()
	}
	if duration < 10*time.Second {
		return duration.Round(100 * time.Millisecond).String()
	}
	return duration.Round(time.Second).String()
}

// rate is rows per second.
func rate(rows int64, seconds float64) string {
	if seconds <= 0 {
		return "0"
	}
	return thousands(int64(float64(rows) / seconds))
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
