package server

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"sync-sidecar/sidecar/postgres/postgrestest"
)

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
		if got := string(EscapeState([]byte(test.raw))); got != test.escaped {
			t.Errorf("EscapeState(%s) is %s, want %s", test.raw, got, test.escaped)
		}
		if got := string(CleanJSON([]byte(test.raw))); got != test.clean {
			t.Errorf("CleanJSON(%s) is %s, want %s", test.raw, got, test.clean)
		}
	}
}

func TestUnescapeLeavesOthersAlone(t *testing.T) {
	t.Parallel()
	for _, stored := range []string{`"\u001a"`, `"\u001a12"`, `"\u001a0041"`, `"\u001azzzz"`, `"\\u001a0000"`, `"\u001a`, `"\`, ``} {
		if got := string(UnescapeState([]byte(stored))); got != stored {
			t.Errorf("UnescapeState(%s) is %s", stored, got)
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
		escaped, clean := EscapeState(raw), CleanJSON(raw)
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
		if back := string(UnescapeState(escaped)); !postgrestest.SameJSON(t, back, before) {
			t.Fatalf("%q came back as %q, by way of %q", raw, back, escaped)
		}
	})
}

// TestStatesRoundTripAtRandom is the property with Postgres itself between: what it prints is not what was written.
func TestStatesRoundTripAtRandom(t *testing.T) {
	t.Parallel()
	url := postgrestest.Database(t)
	const seed = 20260504
	random := rand.New(rand.NewPCG(seed, 0))
	var written, escaped []string
	for range 1000 {
		text := randomJSON(random, 4)
		written, escaped = append(written, text), append(escaped, string(EscapeState([]byte(text))))
	}
	printed := postgrestest.Query(t, url, "select s::jsonb::text from unnest($1::text[]) with ordinality as u (s, n) order by n", escaped)
	for i, text := range printed {
		if back := string(UnescapeState([]byte(text))); !postgrestest.SameJSON(t, back, written[i]) {
			t.Fatalf("seed %d: saved %s, loaded %s", seed, written[i], back)
		}
	}
	if len(printed) != len(written) {
		t.Fatalf("got %d states of %d", len(printed), len(written))
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
