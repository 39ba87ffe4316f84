package airbyte

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// scansWhole says whether the envelope scanner accepts the text as exactly one object.
func scansWhole(text []byte) bool {
	line := pad(text)
	var e envelope
	end := e.scan(line, skipSpace(line, 0))
	return end > 0 && skipSpace(line, end) == len(text)
}

// validObject says whether the standard library accepts the text as one object: the scanner must agree.
func validObject(text []byte) bool {
	return json.Valid(text) && utf8.Valid(text) && bytes.HasPrefix(bytes.TrimLeft(text, " \t\r"), []byte("{"))
}

// nearMisses are values at the edges of JSON.
func nearMisses() []string {
	values := []string{
		`0`, `-0`, `01`, `-`, `1.`, `.5`, `1.5`, `1e`, `1e5`, `1E+5`, `1e-`, `+1`, `1e999`, `123456789012345678901234567890`, `0x1`, `1 2`,
		`true`, `tru`, `truex`, `false`, `null`, `nul`, `NaN`, `Infinity`, `-Infinity`, `""`, `"a`, `a"`, `"\"`, `"\\"`, `"\/\b\f\n\r\t\""`,
		`"\x"`, `"\u12"`, `"\u12G4"`, `"\u00e9"`, `"\ud800"`, `"\ud83d\ude00"`, `"\ud800\u0041"`, `"\u"`, "\"\t\"", "\"\x00\"", "\"\x1f\"",
		"\"\x20\"", "\"\x7f\"",
		"\"\xff\"", "\"\xc0\x80\"", "\"\xc1\xbf\"", "\"\xc2\x80\"", "\"\xdf\xbf\"", "\"\xe0\x80\x80\"", "\"\xe0\x9f\xbf\"", "\"\xe0\xa0\x80\"",
		"\"\xed\x9f\xbf\"",
		"\"\xed\xa0\x80\"", "\"\xed\xbf\xbf\"", "\"\xee\x80\x80\"", "\"\xef\xbf\xbf\"", "\"\xf0\x80\x80\x80\"", "\"\xf0\x8f\xbf\xbf\"",
		"\"\xf0\x90\x80\x80\"",
		"\"\xf4\x8f\xbf\xbf\"", "\"\xf4\x90\x80\x80\"", "\"\xf5\x80\x80\x80\"", "\"\xf8\x88\x80\x80\x80\"", "\"\xc2\"", "\"\xe2\x82\"",
		"\"\xf0\x9f\x98\"", "\"\x80\"",
		`[]`, `[1]`, `[1,]`, `[,1]`, `[1 2]`, `[1}`, `{}`, `{"a":1}`, `{"a":1,}`, `{,}`, `{"a"}`, `{"a" 1}`, `{a:1}`, `{1:1}`, `{"a":1]`, `{"a":1 "b":2}`,
		` [ 1 , 2 ] `, "\t{\t\"a\"\t:\r1 }", `[[[[]]]]`, `[[[[]]]`, `{"":{"":{"":0}}}`, `{"a":1,"a":2}`, "\uFEFF1", "\u20281",
		`"` + "\u2028" + `"`, ``, ` `,
	}
	for pad := range 18 { // each position in the eight bytes that are read at once, and more
		at := strings.Repeat("x", pad)
		for _, odd := range []string{`\"`, `\u00e9`, "é", "\x01", "\xff", "€", "😀", `"`, `\`} {
			values = append(values, `"`+at+odd+`"`, `"`+at+odd+at+`"`)
		}
	}
	return values
}

func TestScanAgreesWithEncodingJSON(t *testing.T) {
	for _, v := range nearMisses() {
		for _, text := range []string{v, `{"a":` + v + `}`, `{"record":{"data":` + v + `}}`, `{"type":` + v + `,"x":1}`, `{"record":{"stream":` + v + `}}`,
			`{"record":{"emitted_at":` + v + `}}`, `{"record":{"meta":` + v + `}}`, `{"record":` + v + `}`,
			`{"state":` + v + `}`, `{"state":{"type":` + v + `}}`, `{"state":{"stream":{"stream_descriptor":{"name":` + v + `}}}}`,
			`{"state":{"stream":{"stream_state":` + v + `}}}`, `{"state":{"sourceStats":{"recordCount":` + v + `}}}`,
			`{"state":{` + v + `:1}}`, `{` + v + `:1}`, `{"record":{` + v + `:1}}`} {
			if got, want := scansWhole([]byte(text)), validObject([]byte(text)); got != want {
				t.Errorf("scan of %q = %v, want %v", text, got, want)
			}
		}
	}
}

func TestScanDepth(t *testing.T) {
	for _, depth := range []int{1, 2, 3, 9_999, 10_000, 10_001, 20_000} {
		for _, brackets := range []string{`[]`, `{}`} {
			opening, inner := brackets[:1], "1"
			if opening == "{" {
				opening, inner = `{"a":`, `""`
			}
			for _, member := range []string{"x", "record", "type", "state"} {
				text := []byte(`{"` + member + `":` + strings.Repeat(opening, depth-1) + inner + strings.Repeat(brackets[1:], depth-1) + `}`)
				if got, want := scansWhole(text), validObject(text); got != want {
					t.Errorf("scan of %d levels of %s in %s = %v, want %v", depth, brackets, member, got, want)
				}
			}
		}
	}
}

func TestScanMemberDepth(t *testing.T) {
	for _, path := range [][]string{
		{"record", "data"}, {"record", "stream"}, {"record", "emitted_at"}, {"record", "meta"}, {"record", "x"},
		{"state", "data"}, {"state", "global"}, {"state", "type"}, {"state", "x"}, {"state", "sourceStats", "recordCount"},
		{"state", "stream", "stream_state"}, {"state", "stream", "stream_descriptor", "name"},
	} {
		for depth := 10_000 - len(path) - 1; depth <= 10_000-len(path)+1; depth++ {
			nested := append(slices.Clone(path), slices.Repeat([]string{"a"}, depth)...)
			text := []byte(`{"` + strings.Join(nested, `":{"`) + `":1` + strings.Repeat(`}`, len(nested)))
			if got, want := scansWhole(text), validObject(text); got != want {
				t.Errorf("scan of %d levels in %v = %v, want %v", depth, path, got, want)
			}
		}
	}
}

func TestUnescape(t *testing.T) {
	for _, v := range nearMisses() {
		var want string
		if json.Unmarshal([]byte(v), &want) != nil || !utf8.ValidString(v) || strings.TrimSpace(v) == "" || strings.TrimSpace(v)[0] != '"' {
			continue
		}
		v = strings.TrimSpace(v)
		if got := string(unescape(nil, []byte(v[1:len(v)-1]))); got != want {
			t.Errorf("unescape(%s) = %q, want %q", v, got, want)
		}
	}
}

func TestInteger(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "1735850275276": 1735850275276, "-5": -5, "1735850275276.2463": 1735850275276, "1e3": 1000, "1E400": 0, "99999999999999999999": 0,
		"123456789012345678": 123456789012345678, "9223372036854775807000": 0, "": 0,
	} {
		if got := integer([]byte(text)); got != want {
			t.Errorf("integer(%q) = %d, want %d", text, got, want)
		}
	}
}
