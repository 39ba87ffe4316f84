package printable_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"sync-sidecar/sidecar/printable"
)

// hostile are texts, and what is seen of each on one line.
func hostile() map[string]string {
	return map[string]string{
		"\x1b[2J\x1b[H":                        `\x1b[2J\x1b[H`,
		"\x1b]52;c;aGk=\a":                     `\x1b]52;c;aGk=\x07`,
		"\x1b]0;title\x1b\\":                   `\x1b]0;title\x1b\`,
		"\x1bPq#0\x1b\\":                       `\x1bPq#0\x1b\`,
		"100%\rdone":                           `100%\rdone`,
		"a\x00b":                               `a\x00b`,
		"a\bb\vc\fd\x7f":                       `a\x08b\x0bc\x0cd\x7f`,
		"\u009b2J\u009d52;c;x\u009c\u0085":     `\u009b2J\u009d52;c;x\u009c\u0085`,
		"\x9b2J":                               `\x9b2J`,
		"\xc2\x9b\xc2":                         `\u009b\xc2`,
		"admin\u202egnp.exe\u202c":             `admin\u202egnp.exe\u202c`,
		"\u2066a\u2067b\u2068c\u2069":          `\u2066a\u2067b\u2068c\u2069`,
		"a\u200eb\u200fc\u061cd":               `a\u200eb\u200fc\u061cd`,
		"line\u2028para\u2029":                 `line\u2028para\u2029`,
		"a\u200bb\u200cc\u200dd\ufeffe\u2060f": `a\u200bb\u200cc\u200dd\ufeffe\u2060f`,
		"\U000e0041\U000e007f\U000e0001":       `\U000e0041\U000e007f\U000e0001`,
		"\ufe00\U000e0100\u034f\u3164":         `\ufe00\U000e0100\u034f\u3164`,
		"\u0378\U000f0000\ufffe":               `\u0378\U000f0000\ufffe`,
		"\xff\xfe\xed\xa0\x80":                 `\xff\xfe\xed\xa0\x80`,
		"a\nINFO forged":                       `a\nINFO forged`,
		"a\r\nb":                               `a\r\nb`,
		"\u115f\u1160\uffa0":                   `\u115f\u1160\uffa0`,
		"é\u200d\u200dé\u200c 👩\u200d\u202e":   `é\u200d\u200dé\u200c 👩\u200d\u202e`,
		"\u00ad":                               `\u00ad`,
	}
}

// plain are texts in which nothing is hidden.
func plain() []string {
	return []string{
		"", "stream users: 17 rows", "a\tb", `C:\new \x1b "q" 'q'`, "pässwörd ключ 日本語　全角 العربية हिन्दी ไทย 한국어", "½ € “quoted” – … ⚠️ 😀 e\u0301",
		"a\u00a0b", "\ufffd", "👩\u200d💻 👨\u200d👩\u200d👧 می\u200cخواهم क्\u200dष",
	}
}

func TestLine(t *testing.T) {
	t.Parallel()
	for text, want := range hostile() {
		if got := printable.Line(text); got != want {
			t.Errorf("%q: got %s, want %s", text, got, want)
		}
		if got := printable.Line(want); got != want {
			t.Errorf("%s again: got %s", want, got)
		}
	}
	for _, text := range plain() {
		if got := printable.Line(text); got != text {
			t.Errorf("%q became %q", text, got)
		}
	}
}

func TestText(t *testing.T) {
	t.Parallel()
	for text, want := range hostile() {
		want = strings.ReplaceAll(strings.ReplaceAll(want, `\r\n`, "\n"), `\n`, "\n")
		if got := printable.Text(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
	for _, text := range append(plain(), "a\nb\n\tc\n") {
		if got := printable.Text(text); got != text {
			t.Errorf("%q became %q", text, got)
		}
	}
}

func TestIndented(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                                  "",
		"one":                               "one",
		"one\n":                             "one",
		"one\ntwo\n\tthree":                 "one\n  two\n  \tthree",
		"one\r\ntwo\r\n":                    "one\n  two",
		"one\rtwo":                          `one\rtwo`,
		"one\n\n\n":                         "one",
		"one\n\ntwo":                        "one\n  \n  two",
		"\n12:00:00 ERROR sidecar: forged":  "\n  12:00:00 ERROR sidecar: forged",
		"one\u2028two\vthree\x85four\u0085": `one\u2028two\x0bthree\x85four\u0085`,
		"Traceback:\n  File \"x\"\nValueError: y": "Traceback:\n    File \"x\"\n  ValueError: y",
	} {
		if got := printable.Indented(text, "  "); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func TestJSON(t *testing.T) {
	t.Parallel()
	for text := range hostile() {
		encoded, err := json.Marshal(map[string]string{"a": text})
		if err != nil {
			t.Fatal(err)
		}
		shown := printable.JSON(encoded)
		if at := bytes.IndexFunc(shown, func(char rune) bool { return char < ' ' || !unicode.IsGraphic(char) }); at >= 0 {
			t.Errorf("%q is shown as %q", text, shown)
		}
		var before, after any
		if json.Unmarshal(encoded, &before) != nil || json.Unmarshal(shown, &after) != nil || !reflect.DeepEqual(before, after) {
			t.Errorf("%s became another document: %s", encoded, shown)
		}
	}
	// What is raw in a connector's own JSON.
	for document, want := range map[string]string{
		"{\n\t\"a\": \"\u009b\xc3\"\r\n}": "{\n\t\"a\": \"\\u009b\\ufffd\"\r\n}",
		"[\"\x7f\U000e0041\"]":            `["\u007f\udb40\udc41"]`,
		`{"a":"ключ"}`:                    `{"a":"ключ"}`,
	} {
		if got := string(printable.JSON([]byte(document))); got != want {
			t.Errorf("%q: got %q, want %q", document, got, want)
		}
	}
}

func TestPlainTextIsNotCopied(t *testing.T) {
	line := strings.Repeat("INFO syncing stream users (ключ), cursor 2024-01-01\t", 5)
	document := []byte(`{"a":"ключ"}`)
	if count := testing.AllocsPerRun(100, func() {
		printable.Line(line)
		printable.Text(line)
		printable.Indented(line, "    ")
	}); count != 0 {
		t.Errorf("allocates %v times", count)
	}
	if got := printable.JSON(document); &got[0] != &document[0] {
		t.Error("a plain document was copied")
	}
}

// shown fails the test when a text holds what a terminal would obey.
func shown(t *testing.T, what, text string, lines bool) {
	t.Helper()
	if !utf8.ValidString(text) {
		t.Errorf("%s is no UTF-8: %q", what, text)
	}
	for _, char := range text {
		if char != '\t' && char != '\u200d' && char != '\u200c' && (char != '\n' || !lines) && !unicode.IsGraphic(char) {
			t.Errorf("%s holds %U: %q", what, char, text)
		}
	}
}

func FuzzPrintable(f *testing.F) {
	for text := range hostile() {
		f.Add(text)
	}
	for _, text := range plain() {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		line, kept, indented := printable.Line(text), printable.Text(text), printable.Indented(text, "    ")
		shown(t, "a line", line, false)
		shown(t, "a text", kept, true)
		shown(t, "an indented text", indented, true)
		if again := printable.Line(line); again != line {
			t.Errorf("%q again became %q", line, again)
		}
		if again := printable.Text(kept); again != kept {
			t.Errorf("%q again became %q", kept, again)
		}
		for i, next := range strings.Split(indented, "\n") {
			if i > 0 && !strings.HasPrefix(next, "    ") {
				t.Errorf("the line %q of %q can be one of ours", next, indented)
			}
		}
		if encoded, err := json.Marshal(text); err == nil {
			document := printable.JSON(encoded)
			shown(t, "a document", string(document), false)
			var before, after string
			if json.Unmarshal(encoded, &before) != nil || json.Unmarshal(document, &after) != nil || before != after {
				t.Errorf("%s became %s", encoded, document)
			}
		}
	})
}

func BenchmarkLine(b *testing.B) {
	for name, text := range map[string]string{
		"plain":  strings.Repeat("INFO syncing stream users, cursor 2024-01-01 ", 5),
		"words":  strings.Repeat("ошибка потока пользователей ", 8),
		"hidden": strings.Repeat("INFO \x1b[32msyncing\x1b[0m stream users, cursor 2024-01-01 ", 4),
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				printable.Line(text)
			}
		})
	}
}
