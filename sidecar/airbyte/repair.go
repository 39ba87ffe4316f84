package airbyte

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	// maxChanges is how many notes one record gets. A row full of NaN must not get more bytes of notes than it has data.
	maxChanges = 1000

	// maxField is the longest path in a note, in bytes. Long keys must not make the notes longer than the row either.
	maxField = 1 << 10

	changeNulled = "NULLED"
	// reasonSerialization is the protocol's reason for a value that the platform could not carry.
	reasonSerialization = "PLATFORM_SERIALIZATION_ERROR"
)

// repair copies a JSON object and corrects what is nearly valid in it: numbers that JSON lacks, bytes that are not UTF-8, and control characters in
// strings. It does not check everything else, so its output must be scanned again.
type repair struct {
	src  []byte // padded
	out  []byte
	path []step // to the value that is being copied

	nonFinite int // numbers made null
	utf8      int // bytes made U+FFFD
	control   int // control characters escaped
	changes   []Change
}

// step is a part of the path to a value: the inside of a key, or an index when the key is absent.
type step struct {
	key   span
	index int
}

// object copies the object at src[i] and returns the index after it, or a negative number when it is beyond repair.
func (r *repair) object(src, out []byte, i int) int {
	*r = repair{src: src, out: out[:0], path: r.path[:0]}
	return r.value(i)
}

// repaired says whether anything was changed.
func (r *repair) repaired() bool { return r.nonFinite+r.utf8+r.control > 0 }

func (r *repair) value(i int) int {
	switch c := r.src[i]; c {
	case '{', '[':
		if len(r.path) == maxDepth {
			return ^i
		}
		return r.members(i, c+2) // '}' is '{' + 2, and ']' is '[' + 2
	case '"':
		return r.text(i)
	case 'N', 'I', '-':
		for _, word := range []string{"NaN", "Infinity", "-Infinity"} {
			if skipLiteral(r.src, i, word) > 0 {
				r.null()
				return i + len(word)
			}
		}
	}
	j := skipValue(r.src, i, 0)
	if j > 0 {
		r.out = append(r.out, r.src[i:j]...)
	}
	return j
}

// members copies an object or an array, as closing says.
func (r *repair) members(i int, closing byte) int {
	r.out = append(r.out, r.src[i])
	i = skipSpace(r.src, i+1)
	if r.src[i] == closing {
		r.out = append(r.out, closing)
		return i + 1
	}
	for index := 0; ; index++ {
		at := step{index: index}
		if closing == '}' {
			key := i
			if i = r.text(i); i < 0 {
				return i
			}
			at.key = span{key + 1, i - 1}
			if i = skipColon(r.src, i); i < 0 {
				return i
			}
			r.out = append(r.out, ':')
		}
		r.path = append(r.path, at)
		i = r.value(i)
		r.path = r.path[:len(r.path)-1]
		if i < 0 {
			return i
		}
		i = skipSpace(r.src, i)
		r.out = append(r.out, r.src[i])
		switch r.src[i] {
		case closing:
			return i + 1
		case ',':
			i = skipSpace(r.src, i+1)
		default:
			return ^i
		}
	}
}

// text copies a string.
func (r *repair) text(i int) int {
	if r.src[i] != '"' {
		return ^i
	}
	if j := skipString(r.src, i+1); j > 0 {
		r.out = append(r.out, r.src[i:j]...)
		return j
	}
	r.out = append(r.out, '"')
	for i++; ; {
		switch c := r.src[i]; {
		case c == '"':
			r.out = append(r.out, c)
			return i + 1
		case c == '\n':
			return ^i
		case c < ' ':
			r.out = fmt.Appendf(r.out, `\u%04x`, c)
			r.control++
			i++
		case c == '\\':
			j := skipEscapes(r.src, i)
			if j < 0 {
				return j
			}
			r.out = append(r.out, r.src[i:j]...)
			i = j
		case c < utf8.RuneSelf:
			r.out = append(r.out, c)
			i++
		default:
			char, size := utf8.DecodeRune(r.src[i:min(i+utf8.UTFMax, len(r.src))])
			if char == utf8.RuneError && size == 1 {
				r.utf8++
			}
			r.out = utf8.AppendRune(r.out, char)
			i += size
		}
	}
}

// null writes null in place of a number that JSON lacks, and notes it when the number is in a row.
func (r *repair) null() {
	r.out = append(r.out, "null"...)
	r.nonFinite++
	if len(r.changes) == maxChanges {
		return
	}
	if field, ok := r.field(); ok {
		r.changes = append(r.changes, Change{Field: field, Change: changeNulled, Reason: reasonSerialization})
	}
}

// field is the path of the current value within the row's data, with dots between its parts; false when the value is not in a row's data.
func (r *repair) field() (string, bool) {
	if len(r.path) < 3 || r.key(r.path[0]) != "record" || r.key(r.path[1]) != "data" {
		return "", false
	}
	var path strings.Builder
	for i, s := range r.path[2:] {
		if i > 0 {
			path.WriteByte('.')
		}
		if path.WriteString(r.key(s)); path.Len() > maxField {
			return strings.ToValidUTF8(path.String()[:maxField], "") + "…", true
		}
	}
	return strings.ToValidUTF8(path.String(), "\uFFFD"), true
}

// key is the key or index of a step; of a very long key only the beginning.
func (r *repair) key(s step) string {
	if s.key.absent() {
		return strconv.Itoa(s.index)
	}
	raw := s.key.in(r.src)
	switch {
	case len(raw) > maxField:
		return string(raw[:maxField+1])
	case skipString(r.src, s.key.i) != s.key.j+1: // the key is damaged itself, so unescape must not see it
		return string(raw)
	default:
		return string(unescape(nil, raw))
	}
}
