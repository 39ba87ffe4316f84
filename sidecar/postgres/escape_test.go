package postgres

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/postgres/postgrestest"
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

func sameJSON(t testing.TB, a, b string) bool {
	t.Helper()
	return reflect.DeepEqual(meaning(t, a), meaning(t, b))
}

func TestEscapeState(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ raw, escaped, clean string }{
		{`{"a":[1,"b"]}`, `{"a":[1,"b"]}`, `{"a":[1,"b"]}`},
		{`"\u0000"`, `"\u001a0000"`, `"\ufffd"`},
		{`"\uD800"`, `"\u001ad800"`, `"\ufffd"`},
		{`"\uDC00\uD800"`, `"\u001adc00\u001ad800"`, `"\ufffd\ufffd"`},
		{`"\uD83D\uDE00"`, `"\uD83D\uDE00"`, `"\uD83D\uDE00"`},
		{`"\ud800\uD83D\uDE00"`, `"\u001ad800\uD83D\uDE00"`, `"\ufffd\uD83D\uDE00"`},
		{`"\u001A"`, `"\u001a001a"`, `"\u001a"`},
		{`"\\u0000"`, `"\\u0000"`, `"\\u0000"`},
		{`"\\\u0000"`, `"\\\u001a0000"`, `"\\\ufffd"`},
		{`"\u00Fc\uABCD\uEFef"`, `"\u00fc\uabcd\uefef"`, `"\u00fc\uabcd\uefef"`},
		{"\"\xff\"", "\"\ufffd\"", "\"\ufffd\""},
		{`"\u00`, `"\u00`, `"\u00`}, // not JSON: left for Postgres to refuse
		{`"\`, `"\`, `"\`},
		{``, ``, ``},
	} {
		if got := string(escapeState([]byte(test.raw))); got != test.escaped {
			t.Errorf("escapeState(%s) is %s, want %s", test.raw, got, test.escaped)
		}
		if got := string(cleanJSON([]byte(test.raw))); got != test.clean {
			t.Errorf("cleanJSON(%s) is %s, want %s", test.raw, got, test.clean)
		}
	}
}

func TestUnescapeLeavesOthersAlone(t *testing.T) {
	t.Parallel()
	for _, stored := range []string{`"\u001a"`, `"\u001a12"`, `"\u001a0041"`, `"\u001azzzz"`, `"\\u001a0000"`, `"\u001a`, `"\`, ``} {
		if got := string(unescapeState([]byte(stored))); got != stored {
			t.Errorf("unescapeState(%s) is %s", stored, got)
		}
	}
}

func FuzzEscapeState(f *testing.F) {
	for _, seed := range []string{
		`{"a":"\u0000","\ud800":"\u001a"}`, `["\udc00\ud800\ud83d\ude00","\\u0000","\u001a0000"]`, `"\uD83D\uDE00x\uDE00"`,
		"\"\xed\xa0\x80\"", "\"\\uA00\x12\"",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		escaped, clean := escapeState(raw), cleanJSON(raw)
		if json.Valid(raw) != json.Valid(escaped) || json.Valid(raw) != json.Valid(clean) {
			t.Fatalf("validity changed: %q to %q and %q", raw, escaped, clean)
		}
		if !json.Valid(raw) || strings.Contains(string(raw), "\ue123") {
			return
		}
		for _, text := range [][]byte{escaped, clean} {
			refused := false
			rewriteEscapes(text, func(out []byte, unit uint16, lone bool) []byte {
				refused = refused || unit == 0 || lone
				return out
			})
			if refused {
				t.Fatalf("jsonb would refuse %q", text)
			}
		}
		before := strings.ToValidUTF8(string(raw), "\ufffd")
		if back := string(unescapeState(escaped)); !sameJSON(t, back, before) {
			t.Fatalf("%q came back as %q, by way of %q", raw, back, escaped)
		}
	})
}

// TestStatesRoundTripAtRandom is the property with Postgres itself between: what it prints is not what was written.
func TestStatesRoundTripAtRandom(t *testing.T) {
	t.Parallel()
	j := open(t, postgrestest.Database(t))
	const seed = 20260504
	random := rand.New(rand.NewPCG(seed, 0))
	for round := range 20 {
		var states []sidecar.SavedState
		want := map[string]string{}
		for n := range 50 {
			key := fmt.Sprintf("stream-%d", n)
			want[key] = randomJSON(random, 4)
			if want[key] == "null" {
				want[key] = "0"
			}
			states = append(states, state(key, want[key]))
		}
		must(t, j.SaveStates(within(t), states))
		loaded, err := j.LoadStates(within(t))
		must(t, err)
		for _, s := range loaded {
			if !sameJSON(t, string(s.State), want[s.Key]) {
				t.Fatalf("seed %d round %d: saved %s, loaded %s", seed, round, want[s.Key], s.State)
			}
		}
		if len(loaded) != len(want) {
			t.Fatalf("got %d states of %d", len(loaded), len(want))
		}
	}
}

func randomJSON(random *rand.Rand, depth int) string {
	kind := random.IntN(7)
	if depth == 0 {
		kind = random.IntN(5)
	}
	var parts []string
	switch kind {
	case 0:
		return "null"
	case 1:
		return fmt.Sprint(random.Int64() - random.Int64())
	case 2:
		return fmt.Sprintf("%d.%03d", random.IntN(1000), random.IntN(1000))
	case 3, 4:
		return randomString(random)
	case 5:
		for range random.IntN(5) {
			parts = append(parts, randomJSON(random, depth-1))
		}
		return "[" + strings.Join(parts, ",") + "]"
	default:
		for n := range random.IntN(5) {
			// Equal keys are the one thing that does not round-trip: the number keeps them apart.
			parts = append(parts, fmt.Sprintf(`"%d%s:%s`, n, randomString(random)[1:], randomJSON(random, depth-1)))
		}
		return "{" + strings.Join(parts, ",") + "}"
	}
}

func randomString(random *rand.Rand) string {
	pieces := []string{
		`\u0000`, `\u001a`, `\u001A`, `\ud800`, `\uDBFF`, `\udc00`, `\uDFFF`, `\ud83d\ude00`, `\\`, `\"`, `\n`, `\u0041`,
		"0000", "001a", "d800", "ü", "😀", "a",
	}
	var s strings.Builder
	for range random.IntN(8) {
		s.WriteString(pieces[random.IntN(len(pieces))])
	}
	return `"` + s.String() + `"`
}
