package destination

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// knownCharacters is how many characters a database may lack before all that are not western are taken for such.
const knownCharacters = 12

// characters are those that the encoding of the database lacks, as far as it has refused some.
type characters struct {
	lacking []rune
	beyond  bool // all that are not western
}

// byteSequence is that of a character in a refusal of the server, whose other words are in the server's language.
var byteSequence = regexp.MustCompile(`0x[0-9a-f]{2}(?: 0x[0-9a-f]{2})*`)

// characterOf is the character that a refusal names: `character with byte sequence 0xd0 0x96 in encoding "UTF8" has no equivalent in …`.
func characterOf(message string) (rune, bool) {
	var text []byte
	for sequence := range strings.FieldsSeq(byteSequence.FindString(message)) {
		b, err := strconv.ParseUint(strings.TrimPrefix(sequence, "0x"), 16, 8)
		if err != nil {
			return 0, false
		}
		text = append(text, byte(b))
	}
	r, size := utf8.DecodeRune(text)
	return r, size > 1 && size == len(text)
}

// lacks notes a character that the database refused; false when that cannot help.
func (c *Client) lacks(message string) bool {
	r, is := characterOf(message)
	c.mu.Lock()
	defer c.mu.Unlock()
	if !is || slices.Contains(c.characters.lacking, r) {
		return false
	}
	c.characters.lacking = append(c.characters.lacking, r)
	c.characters.beyond = len(c.characters.lacking) > knownCharacters
	return true
}

// lacking are the characters that the database is known to lack.
func (c *Client) lacking() characters {
	c.mu.Lock()
	defer c.mu.Unlock()
	return characters{lacking: slices.Clone(c.characters.lacking), beyond: c.characters.beyond}
}
