package bulker

import (
	"strings"
	"testing"
)

func TestWords(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, token, want string }{
		"one line":           {"a\n\tb  c\r\n", "", "a b c"},
		"invalid UTF-8":      {"a\xffb", "", "a\uFFFDb"},
		"long":               {strings.Repeat("ä", 2000), "", strings.Repeat("ä", 1000) + " …"},
		"cut between runes":  {"x" + strings.Repeat("ä", 2000), "", "x" + strings.Repeat("ä", 999) + " …"},
		"echoed token":       {`{"error":"Invalid token: abc.def"}`, "", `{"error":"Invalid token: ***"}`},
		"own token":          {"no s3cret here, s3cret!", "s3cret", "no *** here, ***!"},
		"token in a URL":     {"GET /?t=a%26b%2Fc", "a&b/c", "GET /?t=***"},
		"token in JSON":      {`{"t":"a\u0026b\"c"}`, `a&b"c`, `{"t":"***"}`},
		"other token, own":   {"Invalid token: other", "mine", "Invalid token: ***"},
		"nothing to replace": {"plain", "", "plain"},
	} {
		if got := words(c.text, c.token); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
