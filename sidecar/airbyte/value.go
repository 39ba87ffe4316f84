package airbyte

import (
	"bytes"
	"encoding/json"
	"iter"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// value is a JSON value on a line that was scanned before, and so is valid. The zero value is absent. Its methods read messages that are too rare
// to be worth a place in the envelope, and they are tolerant: a value of another kind than asked for reads as absent.
type value struct {
	line []byte
	span
}

// valueOf is the value that starts at line[i], after white space.
func valueOf(line []byte, i int) value {
	i = skipSpace(line, i)
	return value{line, span{i, skipValue(line, i, 0)}}
}

// kind is the first byte of the value, '0' for every number, and 0 when the value is absent.
func (v value) kind() byte {
	if v.absent() {
		return 0
	}
	if c := v.line[v.i]; c != '-' && !isDigit(c) {
		return c
	}
	return '0'
}

// raw is the value as sent; nil when absent.
func (v value) raw() json.RawMessage {
	if v.absent() {
		return nil
	}
	return v.in(v.line)
}

// text is the unescaped string; empty when the value is not a string.
func (v value) text() string {
	if v.kind() != '"' {
		return ""
	}
	return string(unescape(nil, v.line[v.i+1:v.j-1]))
}

// number is the value as a number; false when it is not one, or out of the range of a float64.
func (v value) number() (float64, bool) {
	if v.kind() != '0' {
		return 0, false
	}
	f, err := strconv.ParseFloat(string(v.raw()), 64)
	return f, err == nil
}

// integer is the whole part of a JSON number; 0 when it does not fit an int64.
func integer(number []byte) int64 {
	var n int64
	for i, c := range number {
		if !isDigit(c) || i == 18 {
			f, err := strconv.ParseFloat(string(number), 64)
			if err != nil || f >= 1<<63 || f < -1<<63 {
				return 0
			}
			return int64(f)
		}
		n = n*10 + int64(c-'0')
	}
	return n
}

// descriptor is the value as a stream descriptor; false when it is not an object with a name.
func (v value) descriptor() (StreamDescriptor, bool) {
	var name, namespace value
	for key, member := range v.members() {
		switch string(key) {
		case "name":
			name = member
		case "namespace":
			namespace = member
		}
	}
	return StreamDescriptor{Name: name.text(), Namespace: namespace.text()}, name.kind() == '"'
}

// member is the last member of the object with this key.
func (v value) member(key string) value {
	var found value
	for k, member := range v.members() {
		if string(k) == key {
			found = member
		}
	}
	return found
}

// members yields the members of the object in order, with unescaped keys; none when the value is not an object.
func (v value) members() iter.Seq2[[]byte, value] {
	return func(yield func([]byte, value) bool) {
		if v.kind() != '{' {
			return
		}
		for i := skipSpace(v.line, v.i+1); v.line[i] != '}'; {
			name, at := scanKey(v.line, i)
			member := valueOf(v.line, at)
			if !yield(name, member) {
				return
			}
			if i = skipSpace(v.line, member.j); v.line[i] == ',' {
				i = skipSpace(v.line, i+1)
			}
		}
	}
}

// elements yields the elements of the array in order; none when the value is not an array.
func (v value) elements() iter.Seq[value] {
	return func(yield func(value) bool) {
		if v.kind() != '[' {
			return
		}
		for i := skipSpace(v.line, v.i+1); v.line[i] != ']'; {
			element := valueOf(v.line, i)
			if !yield(element) {
				return
			}
			if i = skipSpace(v.line, element.j); v.line[i] == ',' {
				i = skipSpace(v.line, i+1)
			}
		}
	}
}

// unescape takes the inside of a valid JSON string and replaces its escapes. It returns s itself when there are none, else a text in buf, which it
// grows as needed. A lone surrogate becomes U+FFFD, as in encoding/json.
func unescape(buf, s []byte) []byte {
	next := bytes.IndexByte(s, '\\')
	if next < 0 {
		return s
	}
	buf = buf[:0]
	for ; next >= 0; next = bytes.IndexByte(s, '\\') {
		buf = append(buf, s[:next]...)
		s = s[next:]
		if s[1] != 'u' {
			buf = append(buf, simpleEscape(s[1]))
			s = s[2:]
			continue
		}
		r := hexRune(s[2:6])
		s = s[6:]
		if utf16.IsSurrogate(r) {
			pair := rune(utf8.RuneError)
			if len(s) >= 6 && s[0] == '\\' && s[1] == 'u' {
				pair = utf16.DecodeRune(r, hexRune(s[2:6]))
			}
			if r = pair; r != utf8.RuneError {
				s = s[6:]
			}
		}
		buf = utf8.AppendRune(buf, r)
	}
	return append(buf, s...)
}

// simpleEscape is the character that a backslash followed by c stands for.
func simpleEscape(c byte) byte {
	switch c {
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	default:
		return c
	}
}

// hexRune is the number that four hexadecimal digits stand for.
func hexRune(digits []byte) rune {
	var r rune
	for _, c := range digits {
		r <<= 4
		switch {
		case isDigit(c):
			r |= rune(c - '0')
		default:
			r |= rune(c|0x20-'a') + 10
		}
	}
	return r
}
