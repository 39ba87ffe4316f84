package local

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/tidwall/gjson"

	"sync-sidecar/sidecar/canonical"
)

// keySum identifies the primary key of a row; equal keys have equal sums, and unequal ones do not meet in practice.
type keySum [16]byte

// fingerprint is what an index knows of a key.
func (s keySum) fingerprint() uint64 { return binary.BigEndian.Uint64(s[:]) }

// keyOf is the key of a row. Members are found by name, not by the library's path syntax, which names may be mistaken for. Numbers are compared by
// value, and never equal a string. False when every part is absent or null: such rows have no key and stay as they are.
func keyOf(row []byte, paths [][]string, buffer []byte) (sum keySum, found bool, _ []byte) {
	buffer = buffer[:0]
	for _, path := range paths {
		part := lookup(gjson.ParseBytes(row), path)
		text, kind := "", byte('0')
		switch part.Type {
		case gjson.Null:
		case gjson.False, gjson.True:
			text, kind = part.Raw, 'b'
		case gjson.Number:
			text, kind = canonical.Number(part.Raw), 'n'
		case gjson.String:
			text, kind = part.Str, 's'
		case gjson.JSON:
			text, kind = part.Raw, 'j'
		}
		found = found || kind != '0'
		buffer = append(buffer, kind)
		buffer = binary.AppendUvarint(buffer, uint64(len(text)))
		buffer = append(buffer, text...)
	}
	digest := sha256.Sum256(buffer)
	return keySum(digest[:len(sum)]), found, buffer
}

// lookup follows a path of member names. The first member of a name counts.
func lookup(value gjson.Result, path []string) gjson.Result {
	for _, name := range path {
		if !value.IsObject() {
			return gjson.Result{}
		}
		var member gjson.Result
		value.ForEach(func(key, value gjson.Result) bool {
			if key.Str != name {
				return true
			}
			member = value
			return false
		})
		value = member
	}
	return value
}
