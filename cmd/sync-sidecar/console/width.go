package console

import (
	"os"
	"strings"
	"unicode"

	"golang.org/x/sys/unix"
	"golang.org/x/text/width"
)

// unknownSize is more than anything needs: nothing is cut.
const unknownSize = 1 << 20

// narrowest is the least that a terminal is taken to have; some say 0 when they do not know.
const narrowest = 20

// terminalSize is how many columns and rows a terminal has now.
func terminalSize(file *os.File) (width, height int) {
	size, err := unix.IoctlGetWinsize(int(file.Fd()), unix.TIOCGWINSZ)
	width, height = unknownSize, unknownSize
	if err == nil && size.Col > 0 {
		width = max(int(size.Col), narrowest)
	}
	if err == nil && size.Row > 0 {
		height = int(size.Row)
	}
	return width, height
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

// squeezed takes the columns out of a line that is too long for a number of columns: what it says matters more than where.
func squeezed(line string, most int) string {
	if columns(line) <= most {
		return line
	}
	text := strings.TrimLeft(line, " ")
	return line[:len(line)-len(text)] + strings.Join(strings.Fields(text), " ")
}

// padded fills a text up to a number of columns.
func padded(text string, least int) string {
	return text + strings.Repeat(" ", max(0, least-columns(text)))
}
