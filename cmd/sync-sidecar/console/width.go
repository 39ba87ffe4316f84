package console

import (
	"os"
	"strings"
	"unicode"

	"golang.org/x/sys/unix"
	"golang.org/x/text/width"
)

// unknownWidth is wider than any line: nothing is cut.
const unknownWidth = 1 << 20

// narrowest is the least that a terminal is taken to have; some say 0 when they do not know.
const narrowest = 20

// terminalWidth is how many columns a terminal has now.
func terminalWidth(file *os.File) int {
	size, err := unix.IoctlGetWinsize(int(file.Fd()), unix.TIOCGWINSZ)
	if err != nil || size.Col == 0 {
		return unknownWidth
	}
	return max(int(size.Col), narrowest)
}

// columnsOf is how many columns a character takes: two in East Asian scripts, none when it combines with the one before.
func columnsOf(char rune) int {
	switch {
	case unicode.In(char, unicode.Mn, unicode.Me, unicode.Cf):
		return 0
	case char >= 0x1F300 && char <= 0x1FAFF: // emoji
		return 2
	}
	switch width.LookupRune(char).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	default:
		return 1
	}
}

// columns is how many columns a text takes on a terminal.
func columns(text string) (count int) {
	for _, char := range text {
		count += columnsOf(char)
	}
	return count
}

// cutColumns cuts a text to a number of columns.
func cutColumns(text string, most int) string {
	if columns(text) <= most {
		return text
	}
	count := 0
	for at, char := range text {
		if count += columnsOf(char); count > most-1 {
			return text[:at] + "…"
		}
	}
	return text
}

// padded fills a text up to a number of columns.
func padded(text string, least int) string {
	return text + strings.Repeat(" ", max(0, least-columns(text)))
}
