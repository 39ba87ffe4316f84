package console

import (
	"fmt"
	"io"
	"os"

	"github.com/mattn/go-isatty"

	"sync-sidecar/sidecar/logs"
)

// Options say how much is shown, and on what.
type Options struct {
	Quiet   bool   // nothing but what has to be said
	Verbose bool   // every log line, in full
	Term    string // the kind of terminal, as TERM says it
	// NoProgress leaves progress to somebody else who shows it.
	NoProgress bool
}

// block is the lines at the bottom of a terminal that are drawn over, below what is printed. It is for one goroutine at a time.
type block struct {
	out   *logs.Console // takes lines without waiting for the terminal
	live  bool          // a terminal that understands cursor movements
	size  func() (columns, rows int)
	drawn []string // what of it is on the screen
}

func newBlock(out io.Writer, term string) block {
	file, ok := out.(*os.File)
	b := block{out: logs.NewConsole(out), live: ok && isatty.IsTerminal(file.Fd()) && term != "dumb"}
	b.size = func() (int, int) { return unknownSize, unknownSize }
	if b.live {
		b.size = func() (int, int) { return terminalSize(file) }
	}
	return b
}

// clear takes the lines off the screen.
func (b *block) clear() {
	width, _ := b.size()
	rows := 0
	for _, line := range b.drawn { // a terminal that has become narrower has broken them
		rows += max(1, (columns(line)+width-1)/width)
	}
	if rows > 0 {
		// Up to the first line of the block, then erase from there to the end of the screen (ECMA-48 CPL and ED).
		fmt.Fprintf(b.out, "\x1b[%dF\x1b[J", rows)
		b.drawn = nil
	}
}

// draw puts lines in the place of those that are on the screen. Where not all fit there, those above the foot are left out first: what has left the
// screen cannot be drawn over.
func (b *block) draw(lines, foot []string) {
	b.clear()
	if !b.live {
		return
	}
	width, height := b.size()
	most := max(1, height-1) // the cursor takes a line, too
	foot = foot[:min(len(foot), most)]
	lines = lines[:min(len(lines), most-len(foot))]
	for _, line := range append(lines[:len(lines):len(lines)], foot...) {
		b.drawn = append(b.drawn, cutColumns(squeezed(line, width-1), width-1))
	}
	for _, line := range b.drawn {
		b.print(line)
	}
}

// print writes a line. Progress that cannot be written, as to a closed terminal, must not end a sync.
func (b *block) print(line string) {
	fmt.Fprintln(b.out, line)
}
