// Package shape learns what values the fields of rows have: types, lengths, how many are null. It keeps no value, unless samples are asked for.
package shape

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// Fields are the fields of the rows of one stream, by name.
type Fields map[string]*Field

// Field is what values a field had.
type Field struct {
	// Types counts the values by JSON type: null, boolean, integer, number, string, array, object.
	Types map[string]int64
	// Shortest and Longest are those of strings, in characters, and of lists, in items; Shortest is negative where there were none.
	Shortest, Longest int
	// Sample is the first value that is not null, where samples were asked for.
	Sample string
}

// sampleLength is how much of a value is a sample, in characters.
const sampleLength = 60

// Take learns from a row that was decoded with numbers as they are written (json.Number).
func (f Fields) Take(row map[string]any, samples bool) {
	for name, value := range row {
		field := f[name]
		if field == nil {
			field = &Field{Types: map[string]int64{}, Shortest: -1}
			f[name] = field
		}
		field.take(value)
		if samples && field.Sample == "" && value != nil {
			field.Sample = sample(value)
		}
	}
}

func (f *Field) take(value any) {
	kind, length := "object", -1
	switch value := value.(type) {
	case nil:
		kind = "null"
	case bool:
		kind = "boolean"
	case json.Number:
		kind = "number"
		if !strings.ContainsAny(value.String(), ".eE") {
			kind = "integer"
		}
	case string:
		kind, length = "string", utf8.RuneCountInString(value)
	case []any:
		kind, length = "array", len(value)
	}
	f.Types[kind]++
	if length < 0 {
		return
	}
	f.Longest = max(f.Longest, length)
	if f.Shortest < 0 || length < f.Shortest {
		f.Shortest = length
	}
}

func sample(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		return ""
	}
	if runes := []rune(string(text)); len(runes) > sampleLength {
		return string(runes[:sampleLength-1]) + "…"
	}
	return string(text)
}

// Names are the fields, and those that are declared, in order.
func (f Fields) Names(declared map[string]any) []string {
	all := slices.AppendSeq(slices.Collect(maps.Keys(f)), maps.Keys(declared))
	slices.Sort(all)
	return slices.Compact(all)
}

// Values says for people what values there were: their types without null, and their lengths.
func (f *Field) Values() string {
	if f == nil {
		return "no value"
	}
	types := slices.DeleteFunc(slices.Sorted(maps.Keys(f.Types)), func(kind string) bool { return kind == "null" })
	text := strings.Join(types, ", ")
	switch {
	case len(types) == 0:
		return "always null"
	case f.Shortest < 0:
		return text
	case f.Shortest == f.Longest:
		return fmt.Sprintf("%s of %d", text, f.Longest)
	}
	return fmt.Sprintf("%s of %d to %d", text, f.Shortest, f.Longest)
}

// Nulls is the part of the values that are null, in percent; of those fields too that were left out of some of the rows.
func (f *Field) Nulls(rows int64) int64 {
	if f == nil || rows == 0 {
		return 100
	}
	there := int64(0)
	for kind, count := range f.Types {
		if kind != "null" {
			there += count
		}
	}
	return 100 - there*100/max(rows, there)
}
