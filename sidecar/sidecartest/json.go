package sidecartest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/big"
	"reflect"
	"strings"
	"unicode/utf16"
)

// SameJSON says whether two JSON texts mean the same: white space, the order of members and the spelling of numbers and strings do not count, what
// encoding/json cannot hold (half of a surrogate pair, digits beyond a float64) does.
func SameJSON(a, b []byte) bool {
	if bytes.Equal(a, b) && json.Valid(a) {
		return true
	}
	first, err := meaning(a)
	if err != nil {
		return false
	}
	second, err := meaning(b)
	return err == nil && reflect.DeepEqual(first, second)
}

// escapeMark stands for `\u` while a text is decoded, so that encoding/json leaves the digits alone. It is of Unicode's private use.
const escapeMark = "\ue123"

// meaning decodes JSON; strings become UTF-16 code units, numbers their value.
func meaning(text []byte) (any, error) {
	var marked strings.Builder
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] != '\\' || i+1 == len(text):
			marked.WriteByte(text[i])
		case text[i+1] == 'u':
			marked.WriteString(escapeMark)
			i++
		default:
			marked.Write(text[i : i+2])
			i++
		}
	}
	decoder := json.NewDecoder(strings.NewReader(marked.String()))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, err
	}
	return plain(value), nil
}

// plain is a decoded value whose equals are deeply equal.
func plain(value any) any {
	switch v := value.(type) {
	case string:
		return "s" + units(v)
	case json.Number:
		if number, ok := new(big.Rat).SetString(v.String()); ok { // not of an exponent that would fill memory with zeros
			return "n" + number.RatString()
		}
		return "n" + v.String()
	case []any:
		for i := range v {
			v[i] = plain(v[i])
		}
	case map[string]any:
		members := make(map[string]any, len(v))
		for name, member := range v {
			members[units(name)] = plain(member)
		}
		return members
	}
	return value
}

// units are the UTF-16 code units of a marked text.
func units(marked string) string {
	parts := strings.Split(marked, escapeMark)
	all := utf16.Encode([]rune(parts[0]))
	for _, part := range parts[1:] {
		var unit uint16
		if len(part) < 4 {
			return marked // no JSON
		}
		if _, err := fmt.Sscanf(part[:4], "%04x", &unit); err != nil {
			return marked
		}
		all = append(append(all, unit), utf16.Encode([]rune(part[4:]))...)
	}
	return fmt.Sprint(all)
}
