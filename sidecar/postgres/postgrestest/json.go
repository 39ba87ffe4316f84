package postgrestest

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"
)

// meaning decodes JSON without losing what encoding/json replaces: strings, keys too, become UTF-16 code units, numbers stay text.
func meaning(t testing.TB, text string) any {
	t.Helper()
	// Every escape of a code unit becomes a private mark and its digits, which encoding/json leaves alone; the mark itself does not occur in tests.
	marked := strings.Builder{}
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] != '\\' || i+1 == len(text):
			marked.WriteByte(text[i])
		case text[i+1] == 'u':
			unit := strings.ToLower(text[i+2 : i+6])
			marked.WriteString("\ue123" + unit)
			i += 5
		default:
			marked.WriteString(text[i : i+2])
			i++
		}
	}
	decoder := json.NewDecoder(strings.NewReader(marked.String()))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		t.Fatalf("%s is not JSON: %v", text, err)
	}
	return codeUnits(value)
}

func codeUnits(value any) any {
	switch v := value.(type) {
	case string:
		return fmt.Sprint(units(v))
	case []any:
		for i := range v {
			v[i] = codeUnits(v[i])
		}
	case map[string]any:
		out := make(map[string]any, len(v))
		for _, key := range slices.Sorted(maps.Keys(v)) { // equal keys spelt differently: the same one wins every time
			out[fmt.Sprint(units(key))] = codeUnits(v[key])
		}
		return out
	}
	return value
}

func units(marked string) []uint16 {
	var out []uint16
	parts := strings.Split(marked, "\ue123")
	out = append(out, utf16.Encode([]rune(parts[0]))...)
	for _, part := range parts[1:] {
		var unit uint16
		if _, err := fmt.Sscanf(part[:4], "%04x", &unit); err != nil {
			unit = 0xffff
		}
		out = append(append(out, unit), utf16.Encode([]rune(part[4:]))...)
	}
	return out
}

// SameJSON says whether two JSON texts mean the same: to the code unit of each string, and to the digit of each number.
func SameJSON(t testing.TB, a, b string) bool {
	t.Helper()
	return reflect.DeepEqual(meaning(t, a), meaning(t, b))
}
