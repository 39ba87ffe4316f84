package airbyte

import (
	"bytes"
	"io"
)

const (
	// readSize is what is asked for at once: as much as a pipe holds that was enlarged (64 KiB otherwise). A source that is faster than we are fills it
	// while we parse, and then a read that empties it costs one wake-up of both instead of four; on two cores that is worth 5 to 10 %.
	readSize = 1 << 20
	// logReadSize is that of stderr, where nothing is in a hurry.
	logReadSize = 64 << 10
	// maxEmptyReads is the number of reads without a byte or an error after which a source is called stuck, as bufio has it.
	maxEmptyReads = 100
)

// line is a line of output. It is valid until the next line is read from the source.
type line struct {
	text   []byte // padded; of an oversize line only its beginning
	size   int64  // bytes, without the line feed
	number int64  // from 1
	cut    bool   // the last line, without a line feed
	over   bool   // longer than the limit: drained
}

// lines splits output at line feeds, and only there: U+2028 and U+0085 are text. Blank lines are skipped.
type lines struct {
	src   io.Reader
	max   int   // longest line in bytes
	keep  int   // how much of a longer one is kept
	chunk int   // how much is read at once
	err   error // what ended src

	buf        []byte // buf[start:end] is unread; at least 1+padding bytes follow
	start, end int
	searched   int // buf[start:searched] holds no line feed
	small      int // reads in a row that a buffer of the usual size would have served

	head   []byte // of the oversize line that is being drained; nil otherwise
	over   int64  // bytes of that line
	number int64  // lines so far
	bytes  int64  // bytes so far
}

func newLines(src io.Reader, longest, keep int) *lines {
	return &lines{src: src, max: longest, keep: keep, chunk: readSize}
}

// usual is the size of the buffer for lines of usual length: it lets one read follow another without moving bytes.
func (l *lines) usual() int { return 2*l.chunk + 1 + padding }

// next reads the next line. At the end it returns io.EOF, and it can be called again after any other error.
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

// ready says whether take can be called. It skips blank lines.
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

// take is the line that ready found: up to the line feed at l.searched, or the end of the source.
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

// peek is the text of the line that ready found, unless it is oversize.
func (l *lines) peek() ([]byte, bool) {
	return l.buf[l.start:l.searched], l.head == nil && l.searched-l.start <= l.max
}

// fill reads once more from the source, keeping the unread bytes.
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

// drain forgets the unread bytes of a line that is too long, but for its head.
func (l *lines) drain() {
	size := l.end - l.start
	if l.head == nil {
		if size <= max(l.max, l.keep) { // so the head does not depend on how the bytes arrive
			return
		}
		l.head = bytes.Clone(l.buf[l.start : l.start+l.keep])
	}
	l.over += int64(size)
	l.start, l.end, l.searched = 0, 0, 0
}

// makeRoom makes room for one read, in a larger buffer when the line needs it. A buffer that grew for a long line is given back when no line
// needed it for a while.
func (l *lines) makeRoom() {
	const patience = 256 // reads
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
		size = min(2*size+l.chunk, max(l.max, l.keep)+l.usual()) // enough: drain left no more
	}
	if size != len(l.buf) {
		l.buf = make([]byte, size)
	}
	l.searched -= l.start
	l.start, l.end = 0, copy(l.buf, unread)
}

// blank says whether a line has nothing to say: white space, NUL bytes (a sparse file's), byte order marks.
func blank(text []byte) bool {
	if len(text) > 0 && text[0] == '{' { // nearly always
		return false
	}
	return len(trim(text)) == 0
}

// trim removes what may surround a message: white space, NUL bytes, byte order marks.
func trim(text []byte) []byte {
	for len(text) > 0 {
		switch {
		case isFiller(text[0]):
			text = text[1:]
		case bytes.HasPrefix(text, []byte("\xEF\xBB\xBF")):
			text = text[3:]
		default:
			for isFiller(text[len(text)-1]) {
				text = text[:len(text)-1]
			}
			return text
		}
	}
	return text
}

func isFiller(c byte) bool {
	return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f' || c == 0
}
