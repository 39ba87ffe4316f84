package airbyte

import (
	"bytes"
	"io"
)

const (
	// readSize is how many bytes one read asks for: all that an enlarged pipe holds. A source that is faster than the reader fills the pipe while the
	// reader parses, and every read that does not empty it wakes the source once more. Reads of 256 KiB were 5 to 10 % slower on two cores.
	readSize = 1 << 20
	// logReadSize is the same for stderr, where speed matters less than memory.
	logReadSize = 64 << 10
	// maxEmptyReads is how many reads in a row may return neither a byte nor an error before the reader gives up with io.ErrNoProgress; bufio's number.
	maxEmptyReads = 100
)

// line is a line of output. Its text is valid until the next read from src.
type line struct {
	text   []byte // padded (see pad); of an oversize line only the beginning
	size   int64  // of the whole line in bytes, without the line feed
	number int64  // from 1
	cut    bool   // it is the last line and no line feed ends it
	over   bool   // it is oversize: longer than the limit
}

// lines splits output at line feeds and nowhere else: U+2028 and U+0085 are text. It skips blank lines.
type lines struct {
	src   io.Reader
	max   int   // longest line in bytes
	keep  int   // bytes of an oversize line that are kept
	chunk int   // bytes that one read asks for
	err   error // what src returned last; io.EOF stays

	buf        []byte // buf[start:end] is not handed out yet; at least 1+padding bytes follow it
	start, end int
	searched   int // buf[start:searched] holds no line feed
	small      int // reads in a row for which a buffer of the usual size would do

	head   []byte // the beginning of the oversize line that is being drained; nil when there is none
	over   int64  // bytes of that line that were dropped, head included
	number int64  // lines so far, blank lines included
	bytes  int64  // bytes so far
}

func newLines(src io.Reader, longest, keep int) *lines {
	return &lines{src: src, max: longest, keep: keep, chunk: readSize}
}

// usual is the size of the buffer while no line is long: two reads fit in it, so bytes are moved only after every second one.
func (l *lines) usual() int { return 2*l.chunk + 1 + padding }

// next returns the next line. At the end it returns io.EOF; after any other error it can be called again.
func (l *lines) next() (line, error) {
	for {
		if l.ready() {
			return l.take(), nil
		}
		if l.err != nil {
			err := l.err
			if err != io.EOF { //nolint:errorlint // a reader's io.EOF is never wrapped
				l.err = nil
			}
			return line{}, err
		}
		l.fill()
	}
}

// ready says whether the buffer holds a line for take. It skips blank lines.
func (l *lines) ready() bool {
	for {
		n := bytes.IndexByte(l.buf[l.searched:l.end], '\n')
		if n < 0 {
			l.searched = l.end
			break
		}
		l.searched += n
		if l.head != nil || !blank(l.buf[l.start:l.searched]) {
			return true
		}
		l.searched++
		l.start = l.searched
		l.number++
	}
	return l.err == io.EOF && (l.head != nil || !blank(l.buf[l.start:l.end])) //nolint:errorlint // as above
}

// take returns the line that ready found: up to the line feed at l.searched, or up to the end of the output.
func (l *lines) take() line {
	size := l.searched - l.start
	l.number++
	found := line{size: l.over + int64(size), number: l.number, cut: l.searched == l.end}
	switch {
	case l.head != nil:
		found.over, found.text = true, pad(l.head)
		l.head, l.over = nil, 0
	case size > l.max:
		found.over, found.text = true, pad(l.buf[l.start:l.start+min(size, l.keep)])
	default:
		l.buf[l.searched] = '\n'
		found.text = l.buf[l.start : l.searched+1+padding]
	}
	if !found.cut {
		l.searched++
	}
	l.start = l.searched
	return found
}

// peek returns the text of the line that ready found without taking it; false when the line is oversize.
func (l *lines) peek() ([]byte, bool) {
	return l.buf[l.start:l.searched], l.head == nil && l.searched-l.start <= l.max
}

// fill reads from src once, behind the bytes that are not handed out yet.
func (l *lines) fill() {
	l.drain()
	l.makeRoom()
	for range maxEmptyReads {
		n, err := l.src.Read(l.buf[l.end:min(l.end+l.chunk, len(l.buf)-1-padding)])
		l.end += n
		l.bytes += int64(n)
		l.err = err
		if n > 0 || err != nil {
			return
		}
	}
	l.err = io.ErrNoProgress
}

// drain drops the bytes of an unfinished line that is already too long. Of the first ones it keeps the head.
func (l *lines) drain() {
	size := l.end - l.start
	if l.head == nil {
		if size <= max(l.max, l.keep) { // at least keep, so that the head does not depend on how the bytes arrive
			return
		}
		l.head = bytes.Clone(l.buf[l.start : l.start+l.keep])
	}
	l.over += int64(size)
	l.start, l.end, l.searched = 0, 0, 0
}

// makeRoom makes room for one read, in a larger buffer when an unfinished line fills this one. It gives a large buffer back after `patience` reads
// that did not need it.
func (l *lines) makeRoom() {
	const patience = 256
	unread := l.buf[l.start:l.end]
	if l.small++; len(unread) > l.chunk/2 {
		l.small = 0
	}
	size := max(len(l.buf), l.usual())
	switch {
	case size > l.usual() && l.small > patience:
		size = l.usual()
	case len(unread) > 0 && size-1-padding-l.end >= l.chunk:
		return
	case size-1-padding-len(unread) < l.chunk:
		size = min(2*size+l.chunk, max(l.max, l.keep)+l.usual()) // as large as it must ever be: drain keeps no more
	}
	if size != len(l.buf) {
		l.buf = make([]byte, size)
	}
	l.searched -= l.start
	l.start, l.end = 0, copy(l.buf, unread)
}

// blank says whether a line holds nothing but white space, NUL bytes (a sparse file is full of them) and byte order marks.
func blank(text []byte) bool {
	if len(text) > 0 && text[0] == '{' { // most lines, decided without trim
		return false
	}
	return len(trim(text)) == 0
}

// trim removes white space and NUL bytes around text, and byte order marks before it.
func trim(text []byte) []byte {
	for len(text) > 0 {
		switch {
		case isFiller(text[0]):
			text = text[1:]
		case bytes.HasPrefix(text, []byte(byteOrderMark)):
			text = text[len(byteOrderMark):]
		default:
			for isFiller(text[len(text)-1]) {
				text = text[:len(text)-1]
			}
			return text
		}
	}
	return text
}

// byteOrderMark is U+FEFF in UTF-8. Programs on Windows write it first.
const byteOrderMark = "\xEF\xBB\xBF"

func isFiller(c byte) bool {
	return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f' || c == 0
}
