package secret

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
)

// trivial are values that stand in configs under any name and mean nothing; masking them would make the log unreadable.
var trivial = []string{
	"true", "false", "null", "none", "undefined", "default", "disabled", "enabled", "optional", "required",
	"string", "basic", "bearer", "oauth", "oauth2", "oauth2.0", "password", "token", "secret",
	"api_key", "apikey", "access_token", "client_credentials", "refresh_token", "private_key", "service_account", "service",
}

// formsOf are the strings to look for in order to find one secret, in any spelling of each: itself, its lines when it has several (a private key
// is logged line by line), what base64 and hexadecimal make of these, and the pieces of a key, wherever it is broken into lines.
func formsOf(value string) []string {
	value = strings.TrimSpace(value)
	if tooPlain(value) {
		return nil
	}
	forms := append(pieces(keyText(value)), hex.EncodeToString([]byte(value)), strings.ToUpper(hex.EncodeToString([]byte(value))))
	if encoded := base64.StdEncoding.EncodeToString([]byte(value)); len(encoded) > base64Line {
		forms = append(forms, pieces(encoded)...)
	}
	for _, part := range append(linesOf(value), value) {
		if !tooPlain(part) {
			forms = append(append(forms, part), base64Forms(part)...)
		}
	}
	slices.Sort(forms)
	return slices.DeleteFunc(slices.Compact(forms), tooPlain)
}

// tooPlain says that a value is not worth masking, or would do harm.
func tooPlain(value string) bool {
	return len(value) < minLength || slices.Contains(trivial, strings.ToLower(value))
}

// lineBreaks are those of a text, and those that were escaped, as in a variable or a JSON string that was pasted.
var lineBreaks = strings.NewReplacer(`\r`, "\n", `\n`, "\n", "\r", "\n")

// linesOf are the lines of a secret that has several, but for those that are none: "-----BEGIN PRIVATE KEY-----" is a useful thing to see in a log.
// A secret that is JSON has secrets inside (see FromConfig), and its other lines are in every log.
func linesOf(value string) []string {
	if json.Valid([]byte(value)) {
		return nil
	}
	var found []string
	for line := range strings.Lines(lineBreaks.Replace(value)) {
		if line = strings.TrimSpace(line); !strings.HasPrefix(line, "-----") && line != value {
			found = append(found, line)
		}
	}
	return found
}

const (
	// base64Line is the longest line of base64 that tools write (RFC 2045; openssl's have 64).
	base64Line = 76
	// minKey is the length in characters from which base64 is taken for a key that may be broken into lines; an Ed25519 key has 64.
	minKey = 64
	// pieceLength is how much of a key is looked for, in characters. Lines are longer; less may be chance.
	pieceLength = 12
	// maxPieces bounds the pieces of one secret, such as a bundle of certificates; a key of 4,096 bits has 3,200.
	maxPieces = 8192
)

// keyBounds are the lines around a key (RFC 7468), which may have become one with it.
var keyBounds = regexp.MustCompile(`-----[A-Z0-9 ]+-----`)

// keyText is the base64 of a key without line breaks and without what stands around it ("-----BEGIN …", "Proc-Type: …"); empty when the value is
// no key.
func keyText(value string) string {
	var lines []string
	for line := range strings.Lines(keyBounds.ReplaceAllString(lineBreaks.Replace(value), "\n")) {
		if !strings.Contains(line, ": ") {
			lines = append(lines, strings.Fields(line)...)
		}
	}
	// A pass phrase has shorter words, no digits, or other signs.
	for i, line := range lines {
		if len(line) < pieceLength && i < len(lines)-1 {
			return ""
		}
	}
	key := strings.Join(lines, "")
	if len(key) < minKey || strings.IndexFunc(key, notBase64) >= 0 || !strings.ContainsAny(key, "0123456789") ||
		strings.ToLower(key) == key || strings.ToUpper(key) == key {
		return ""
	}
	return key
}

func notBase64(char rune) bool {
	return (char > 0x7f || !isAlphanumeric(byte(char))) && !strings.ContainsRune("+/=", char)
}

// pieces are all stretches of a key that are pieceLength long, and its shorter ends, so that any line of it is covered wherever it begins. A stretch
// of few different letters is none: padding says nothing, and is in other texts too.
func pieces(key string) []string {
	length, step := pieceLength, 1+len(key)/maxPieces
	if step > 1 {
		length += 2 * step // still overlapping
	}
	var found []string
	note := func(piece string) {
		different := 0
		for i := range len(piece) {
			if strings.IndexByte(piece, piece[i]) == i {
				different++
			}
		}
		if 2*different >= min(len(piece), pieceLength) {
			found = append(found, piece)
		}
	}
	for at := 0; at+length <= len(key); at += step {
		note(key[at : at+length])
	}
	for last := minLength; last < length && last < len(key); last++ { // of a last line
		note(key[len(key)-last:])
	}
	return found
}

// minBase64Length is how much of a base64 text has to be the secret's own to be looked for: shorter stretches turn up by chance.
const minBase64Length = 8

// base64Forms are the base64 texts of a value: alone, and as a part of something longer ("user:password" in a Basic authorization). There it
// begins at any of three bit positions, and its first and last character may be shared with a neighbour, so these are left off.
func base64Forms(value string) []string {
	var forms []string
	for _, encoding := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding} {
		forms = append(forms, encoding.EncodeToString([]byte(value)))
		for lead := range 3 {
			padded := append(make([]byte, lead), value...)
			text := encoding.WithPadding(base64.NoPadding).EncodeToString(padded)
			own := text[(lead*8+5)/6 : len(padded)*8/6]
			if len(own) >= minBase64Length {
				forms = append(forms, own)
			}
		}
	}
	return forms
}
