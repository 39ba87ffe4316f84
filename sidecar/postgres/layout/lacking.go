package layout

import (
	"fmt"
	"unicode/utf16"
	"unicode/utf8"
)

// lacking are characters that the encoding of a database does not have.
type lacking struct {
	beyond     bool // all that no encoding of Western Europe has
	characters map[rune]bool
}

// western is behind the last character of ISO 8859-1.
const western = 0x100

// blockOf stands for the 256 characters around one, or for the character alone where it is western: encodings have a script or they do not.
func blockOf(r rune) rune {
	if r < western {
		return r
	}
	return r &^ (western - 1)
}

// SetCharactersAside says which characters the encoding of the database lacks, and whether all that are not western are to be taken for such; those
// around a lacking one are. Values that have one go to Unmapped, where \u0416 stands for it.
func (p *Plan) SetCharactersAside(characters []rune, beyond bool) {
	p.lacking = nil
	if len(characters) > 0 {
		p.lacking = &lacking{beyond: beyond, characters: map[rune]bool{}}
	}
	for _, r := range characters {
		p.lacking.characters[blockOf(r)] = true
	}
}

// has says that a character is one of them.
func (l *lacking) has(r rune) bool {
	return r >= utf8.RuneSelf && (l.characters[blockOf(r)] || l.beyond && r >= western)
}

// in says that a text has such a character.
func (l *lacking) in(text []byte) bool {
	if l == nil {
		return false
	}
	for i := 0; i < len(text); {
		if text[i] < utf8.RuneSelf {
			i++
			continue
		}
		r, size := utf8.DecodeRune(text[i:])
		if l.has(r) {
			return true
		}
		i += size
	}
	return false
}

// spell is JSON in which such characters are spelled out.
func (l *lacking) spell(text []byte) []byte {
	if !l.in(text) {
		return text
	}
	var spelled []byte
	for _, r := range string(text) {
		switch first, second := utf16.EncodeRune(r); {
		case !l.has(r):
			spelled = utf8.AppendRune(spelled, r)
		case first == utf8.RuneError: // no pair
			spelled = fmt.Appendf(spelled, `\\u%04x`, r)
		default:
			spelled = fmt.Appendf(spelled, `\\u%04x\\u%04x`, first, second)
		}
	}
	return spelled
}
