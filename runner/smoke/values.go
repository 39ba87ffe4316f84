package smoke

import (
	"bytes"
	"maps"
	"slices"
	"strings"
)

// unstorable says whether JSON text holds a NUL, or a half of a surrogate pair, which no Postgres text can: written as \u0000 and \ud800 to \udfff.
func unstorable(raw []byte) bool {
	for {
		at := bytes.IndexByte(raw, '\\')
		if at < 0 || at+1 >= len(raw) {
			return false
		}
		raw = raw[at:]
		if raw[1] != 'u' || len(raw) < 6 {
			raw = raw[2:]
			continue
		}
		code := strings.ToLower(string(raw[2:6]))
		switch {
		case code == "0000", code >= "dc00" && code <= "dfff":
			return true
		case code >= "d800" && code < "dc00":
			if len(raw) < 12 || raw[6] != '\\' || raw[7] != 'u' {
				return true
			}
			if low := strings.ToLower(string(raw[8:12])); low < "dc00" || low > "dfff" {
				return true
			}
			raw = raw[12:]
			continue
		}
		raw = raw[6:]
	}
}

// names are the keys of a map, sorted.
func names[V any](all map[string]V) []string { return slices.Sorted(maps.Keys(all)) }
