package secret_test

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"
	"sync"
	"testing"

	"sync-sidecar/sidecar/airbyte"
	"sync-sidecar/sidecar/secret"
)

const pem = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkq\nhkiG9w0BAQEFAASC\nAw==\n-----END PRIVATE KEY-----\n"

func TestMask(t *testing.T) {
	tests := map[string]struct {
		secrets    []string
		text, want string
	}{
		"nothing known":    {nil, "password is hunter2", "password is hunter2"},
		"plain":            {[]string{"hunter2"}, "a hunter2, hunter2!", "a ***, ***!"},
		"whole text":       {[]string{"hunter2"}, "hunter2", "***"},
		"side by side":     {[]string{"hunter2"}, "hunter2hunter2", "***"},
		"overlapping":      {[]string{"abcdef", "defghi"}, "xabcdefghix", "x***x"},
		"one in another":   {[]string{"token", "hunter2", "my-hunter2-key"}, "my-hunter2-key", "***"},
		"longest wins":     {[]string{"hunter2", "hunter2hunter3"}, "hunter2hunter3", "***"},
		"with spaces":      {[]string{" hunter2\n"}, "hunter2", "***"},
		"too short":        {[]string{"abcd", ""}, "abcd", "abcd"},
		"trivial":          {[]string{"False", "default", "none"}, "False default none", "False default none"},
		"not ASCII":        {[]string{"pässwörd"}, "x pässwörd y", "x *** y"},
		"cut off":          {[]string{"hunter2"}, "hunter", "hunter"},
		"JSON":             {[]string{"a\"b\\c\nd"}, `{"p":"a\"b\\c\nd"}`, `{"p":"***"}`},
		"JSON in JSON":     {[]string{`a"bcde`}, `{"log":"{\"p\":\"a\\\"bcde\"}"}`, `{"log":"{\"p\":\"***\"}"}`},
		"JSON of Go":       {[]string{"a<b>c&d"}, `{"p":"a\u003cb\u003ec\u0026d"}`, `{"p":"***"}`},
		"JSON of Python":   {[]string{"pässwörd😀"}, `{"p":"p\u00e4ssw\u00f6rd\ud83d\ude00"}`, `{"p":"***"}`},
		"JSON of PHP":      {[]string{"a/b/c/d"}, `{"p":"a\/b\/c\/d"}`, `{"p":"***"}`},
		"query":            {[]string{"a b/c=d"}, "?p=a+b%2Fc%3Dd&q=a%20b%2fc%3dd", "?p=***&q=***"},
		"path":             {[]string{"a b/c=d"}, "/a%20b%2Fc=d/", "/***/"},
		"a key":            {[]string{pem}, "line hkiG9w0BAQEFAASC of -----BEGIN PRIVATE KEY-----", "line *** of -----BEGIN PRIVATE KEY-----"},
		"a key in JSON":    {[]string{pem}, quoted(pem) + "!", `***\n!`},
		"a key of Windows": {[]string{strings.ReplaceAll(pem, "\n", "\r\n")}, "hkiG9w0BAQEFAASC", "***"},
		"URL":              {nil, "postgres://me:p%40ss@db:5432/x?y=a@b", "postgres://me:***@db:5432/x?y=a@b"},
		"URL without user": {nil, "redis://:hidden@cache", "redis://:***@cache"},
		"URL without pass": {nil, "http://host:8080/mail@host and ssh://git@host", "http://host:8080/mail@host and ssh://git@host"},
		"two URLs":         {nil, "http://a:1/ http://u:pw@b/", "http://a:1/ http://u:***@b/"},
		"bearer":           {nil, "Authorization: Bearer abcDEF123456._-~+/==, x", "Authorization: Bearer ***, x"},
		"bearer in a word": {nil, "a Bearer token is required", "a Bearer token is required"},
		"percent":          {[]string{"hunter2"}, "50% of hunter2 %d", "50% of *** %d"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			masker := secret.NewMasker(test.secrets...)
			if got := masker.Mask(test.text); got != test.want {
				t.Errorf("Mask(%q) is %q, want %q", test.text, got, test.want)
			}
		})
	}
}

// A Basic authorization carries the password somewhere within base64, at any of three alignments.
func TestMaskInsideBase64(t *testing.T) {
	const password = "correct horse battery"
	masker := secret.NewMasker(password)
	for _, text := range []string{password, "u:" + password, "me:" + password, "you:" + password, "a:" + password + "\n", "you:" + password + "xy"} {
		for _, encoding := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding, base64.RawStdEncoding} {
			encoded := encoding.EncodeToString([]byte(text))
			masked := masker.Mask("Basic " + encoded)
			if len(masked) > len("Basic ")+len(encoded)-len(password) {
				t.Errorf("%q became %q: too little of it is masked", encoded, masked)
			}
		}
	}
}

func TestMaskOfZeroMasker(t *testing.T) {
	var masker secret.Masker
	if got := masker.Mask("x://u:pass@h"); got != "x://u:***@h" {
		t.Errorf("got %q", got)
	}
	masker.Add("hunter2")
	if got := masker.Mask("hunter2"); got != secret.Mask {
		t.Errorf("after Add: %q", got)
	}
}

func TestAddWhileOthersMask(t *testing.T) {
	masker := secret.NewMasker("hunter2")
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for range 500 {
				if got := masker.Mask("hunter2"); got != secret.Mask {
					t.Errorf("got %q", got)
					return
				}
			}
		})
	}
	added := []string{"hunter3", "hunter4", "hunter5"}
	for _, value := range added {
		group.Go(func() { masker.Add(value) })
	}
	group.Wait()
	for _, value := range added {
		if got := masker.Mask(value); got != secret.Mask {
			t.Errorf("%s was added, but Mask gives %q", value, got)
		}
	}
}

func TestMaskOfCleanTextDoesNotAllocate(t *testing.T) {
	masker := secret.NewMasker("hunter2", pem)
	text := strings.Repeat("INFO syncing stream users, cursor 2024-01-01 ", 5)
	if count := testing.AllocsPerRun(100, func() { masker.Mask(text) }); count != 0 {
		t.Errorf("Mask allocates %v times", count)
	}
}

// FuzzMask: whatever the secret and wherever it stands, it is not in what Mask returns, in any of the forms that encoders give it.
func FuzzMask(f *testing.F) {
	f.Add("hunter2", "other-secret", "before ", " after")
	f.Add("a\"b\\c\nd/é", "abcabc", "abc", "abc")
	f.Add(pem, "MIIEvQIBADANBgkqx", "", "\n")
	f.Add("aaaaaa", "aaaaaaaaaa", "aaa", "a")
	f.Fuzz(func(t *testing.T, first, second, before, after string) {
		masker := secret.NewMasker(first, second)
		first, second = strings.TrimSpace(first), strings.TrimSpace(second)
		for _, text := range []string{
			before + first + after + second, second + first, first + before + first, quoted(first) + quoted(quoted(second)),
			url.QueryEscape(before+first) + url.PathEscape(second), base64.StdEncoding.EncodeToString([]byte(first)) + before,
		} {
			masked := masker.Mask(text)
			for _, value := range []string{first, second} {
				for _, form := range []string{value, quoted(value), url.QueryEscape(value), url.PathEscape(value)} {
					// What is not masked by value is not promised; and a secret made of the mask's own characters cannot be told from it.
					if secret.NewMasker(value).Mask(form) != form && !strings.Contains(form, "*") && strings.Contains(masked, form) {
						t.Errorf("%q became %q, which holds %q", text, masked, form)
					}
				}
			}
			if again := masker.Mask(masked); len(again) > len(masked) {
				t.Errorf("masking %q again made it longer: %q", masked, again)
			}
		}
	})
}

// quoted is the inside of a JSON string.
func quoted(text string) string {
	out, err := json.Marshal(text)
	if err != nil {
		return text
	}
	return string(out[1 : len(out)-1])
}

// The reader of a connector's stderr cuts what is too long before anybody could mask it. Wherever the cut is, nothing of the secret is left that
// could not be guessed.
func TestMaskAfterTheReaderHasCut(t *testing.T) {
	const longest, value = 1024, "s3cr3t-token/0123456789"
	masker := secret.NewMasker(value)
	for at := longest - len(value) - 2; at <= longest; at++ {
		reader := airbyte.NewLogReader(strings.NewReader(strings.Repeat("x", at)+value+strings.Repeat("y", longest)+"\n"), longest)
		line, err := reader.Next()
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(line.Message, "(cut, ") {
			t.Fatalf("not cut: %q", line.Message)
		}
		if masked := masker.Mask(line.Message); strings.Contains(masked, value[:5]) {
			t.Errorf("cut within the secret: %q", masked[longest-len(value)-2:])
		}
	}
}
