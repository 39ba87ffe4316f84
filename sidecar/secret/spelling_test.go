package secret_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"maps"
	"math/rand/v2"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"sync-sidecar/sidecar/secret"
)

// hardSecrets hold what encoders escape.
func hardSecrets() []string {
	return []string{
		"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", // Amazon's example
		`p'a"ss\word`, `it's a "secret" \o/`, `<p@ss&word>;'"--`, "pässwörd/ключ'\"",
		"a b+c/d=e%f&g?h#i:j@k", `C:\new\temp\users`, `50%25ab&amp;x\u0041y`, "~!@#$%^&*()_+`-={}|[]\\:\";'<>?,./x",
		"line one's\nline \"two\"",
	}
}

// Whatever writes a secret, and whatever writes what that has written.
func TestMaskInEverySpelling(t *testing.T) {
	t.Parallel()
	for _, value := range hardSecrets() {
		masker := secret.NewMasker(value)
		for outer, write := range writers() {
			for inner, before := range writers() {
				spelled := write(before(value))
				for _, text := range []string{spelled, "a: " + spelled + ", z", `{"k": "` + spelled + `"}`, "k='" + spelled + "'"} {
					if got := masker.Mask(text); strings.Contains(got, spelled) || remains(got, value) {
						t.Errorf("%s in %s: %q became %q", inner, outer, text, got)
					}
				}
			}
		}
	}
}

// remains says whether a word of a secret is left.
func remains(text, value string) bool {
	isSign := func(char rune) bool { return char < '0' || char > 'z' || char > '9' && char < 'A' || char == '\\' }
	for _, word := range strings.FieldsFunc(value, isSign) {
		if len(word) >= 5 && strings.Contains(text, word) {
			return true
		}
	}
	return false
}

// Nothing but the secret is masked: what stands beside it stays, and so do the quotes around it.
func TestMaskLeavesWhatIsBesideASpelling(t *testing.T) {
	t.Parallel()
	const value = `it's a "secret"/x`
	masker := secret.NewMasker(value)
	for text, want := range map[string]string{
		`{"p":"it's a \"secret\"\/x"}`:                     `{"p":"***"}`,
		`{"m":"{\"p\":\"it's a \\\"secret\\\"/x\"}"}`:      `{"m":"{\"p\":\"***\"}"}`,
		`'it\'s a "secret"/x', 'b'`:                        `'***', 'b'`,
		`VALUES ('it''s a "secret"/x', '')`:                `VALUES ('***', '')`,
		`sh -c 'it'\''s a "secret"/x' && b`:                `sh -c '***' && b`,
		`<p a="it&#39;s a &quot;secret&quot;/x">&amp;</p>`: `<p a="***">&amp;</p>`,
		`/q?p=it%27s+a+%22secret%22/x&q=%20y`:              `/q?p=***&q=%20y`,
		`%22it%27s%20a%20%22secret%22/x%22`:                `%22***%22`,
		`its a secret x \ % & ''`:                          `its a secret x \ % & ''`,
	} {
		if got := masker.Mask(text); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
}

// rsaKey is a PEM of 40 lines of so many random characters; it is no key.
func rsaKey(width int) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	random := rand.New(rand.NewPCG(1, 2))
	var out strings.Builder
	out.WriteString("-----BEGIN PRIVATE KEY-----\n")
	for range 40 {
		for range width {
			out.WriteByte(alphabet[random.IntN(len(alphabet))])
		}
		out.WriteByte('\n')
	}
	out.WriteString("Zm9v==\n-----END PRIVATE KEY-----\n")
	return out.String()
}

// A key is masked wherever its lines are broken, with and without its header, also when each line is a message of its own.
func TestMaskOfARewrappedKey(t *testing.T) {
	t.Parallel()
	given := rsaKey(64)
	body := strings.ReplaceAll(given[len("-----BEGIN PRIVATE KEY-----\n"):strings.Index(given, "-----END")], "\n", "")
	for name, value := range map[string]string{
		"as a file":             given,
		"of Windows":            strings.ReplaceAll(given, "\n", "\r\n"),
		"with escaped breaks":   strings.ReplaceAll(given, "\n", `\n`),
		"on one line":           strings.ReplaceAll(given, "\n", " "),
		"without a header":      body,
		"with more in its head": strings.Replace(given, "-----\n", "-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\n", 1),
	} {
		masker := secret.NewMasker(value)
		for _, width := range []int{16, 20, 48, 60, 64, 70, 72, 76, 1000, len(body)} {
			for at := 0; at < len(body); at += width {
				line := body[at:min(len(body), at+width)]
				for _, text := range []string{line, "key: " + line + " ", strings.ReplaceAll(line, "/", `\/`), url.QueryEscape(line)} {
					if got := masker.Mask(text); len(line) >= 16 && strings.Trim(got, "key: *") != "" {
						t.Errorf("%s, %d wide: %q became %q", name, width, text, got)
					}
				}
			}
			var wrapped []string
			for at := 0; at < len(body); at += width {
				wrapped = append(wrapped, body[at:min(len(body), at+width)])
			}
			for _, breaks := range []string{"\n", "\r\n", `\n`, `\\n`, `\r\n`, " ", "\n    ", `\n" + "`} {
				got := masker.Mask(strings.Join(wrapped, breaks))
				if left := strings.Trim(strings.NewReplacer(secret.Mask, "", breaks, "").Replace(got), breaks+"+"); len(left) > 0 {
					t.Errorf("%s, %d wide, broken by %q: left %q", name, width, breaks, left)
				}
			}
		}
		encoded := base64.StdEncoding.EncodeToString([]byte(value))
		for at := 0; at+76 <= len(encoded); at += 76 {
			if got := masker.Mask(encoded[at : at+76]); got != secret.Mask {
				t.Errorf("%s, in base64 again: %q became %q", name, encoded[at:at+76], got)
			}
		}
	}
}

// What is no key is not taken apart: its words are in every log.
func TestMaskTakesOnlyKeysApart(t *testing.T) {
	t.Parallel()
	masker := secret.NewMasker(
		"correct horse battery staple correct horse battery staple correct horse battery staple 2024 Correct",
		"the-production-database-password-of-the-company-which-nobody-knows-1-A",
		`{"type":"service_account","auth_uri":"https://accounts.google.com/o/oauth2/auth","private_key":"hunter2hunter2"}`,
		strings.Repeat("A", 100)+"b1",
	)
	for _, text := range []string{
		"correct horse battery", "the production-database is away", "see https://accounts.google.com/o/oauth2/auth", "AAAAAAAAAAAAAAAAAAAAAA",
	} {
		if got := masker.Mask(text); got != text {
			t.Errorf("%q became %q", text, got)
		}
	}
}

// Somebody may have cut a secret before it came to us.
func TestMaskOfASecretThatWasCut(t *testing.T) {
	t.Parallel()
	const value = "s3cr3t-token/0123456789abcdef"
	masker := secret.NewMasker(value, "postgres-password")
	escaped := strings.ReplaceAll(value, "/", `\/`)
	for text, want := range map[string]string{
		"token " + value[:20] + "…":                            "token ***…",
		"token " + value[:20] + " … (cut, 200 bytes in all)":   "token *** … (cut, 200 bytes in all)",
		"token " + value[:8] + "...":                           "token ***...",
		"token " + value[:8] + " [...]":                        "token *** [...]",
		"token " + value[:20]:                                  "token ***",
		"token " + escaped[:20] + "…":                          "token ***…",
		"token " + escaped[:20]:                                "token ***",
		"token " + value[:7]:                                   "token " + value[:7],
		"cannot reach postgres":                                "cannot reach postgres",
		"cannot reach postgres…":                               "cannot reach ***…",
		"cannot reach postgres, so token " + value + " is old": "cannot reach postgres, so token *** is old",
	} {
		if got := masker.Mask(text); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
	// Any cut that leaves at least half.
	for n := len(value) / 2; n <= len(value); n++ {
		if got := masker.Mask("x " + value[:n]); n >= 15 && got != "x ***" {
			t.Errorf("cut at %d: %q", n, got)
		}
	}
}

func TestMaskOfHexadecimal(t *testing.T) {
	t.Parallel()
	masker := secret.NewMasker("hunter2/x")
	for _, text := range []string{hex.EncodeToString([]byte("hunter2/x")), strings.ToUpper(hex.EncodeToString([]byte("hunter2/x")))} {
		if got := masker.Mask("bytea '" + text + "'"); got != "bytea '***'" {
			t.Errorf("got %q", got)
		}
	}
}

// FuzzSpelling: two writers around any secret, and anything around that.
func FuzzSpelling(f *testing.F) {
	for i, value := range hardSecrets() {
		f.Add(value, uint8(i), uint8(i*7), "a ", " z")
	}
	all := writers()
	names := slices.Sorted(maps.Keys(all))
	f.Fuzz(func(t *testing.T, value string, outer, inner uint8, before, after string) {
		value = strings.TrimSpace(value)
		masker := secret.NewMasker(value)
		if masker.Mask(value) == value || !json.Valid([]byte(strconv.Quote(value))) {
			return // not masked by value, or no text
		}
		spelled := all[names[int(outer)%len(names)]](all[names[int(inner)%len(names)]](value))
		text := before + spelled + after
		masked := masker.Mask(text)
		if again := masker.Mask(masked); len(again) > len(masked) {
			t.Errorf("masking %q again made it longer: %q", masked, again)
		}
		// Beside letters and digits nothing can change what an escape begins with.
		if masked := masker.Mask("x " + spelled + " x"); strings.Contains(masked, value) && !strings.Contains(value, "*") {
			t.Errorf("%q became %q", spelled, masked)
		}
	})
}

// A line that was made to be slow is not: each kind of escape, nested as often as fits.
func TestMaskIsLinear(t *testing.T) {
	t.Parallel()
	masker := secret.NewMasker(append(hardSecrets(), rsaKey(64))...)
	for _, unit := range []string{"%25", "&amp;", "amp;", `\`, `\\"`, "''", `\ud83d`, `\u005c`, "%5C", "&#x26;", "MIIEvQIBADAN", "p'a"} {
		text := "&%" + strings.Repeat(unit, 4<<20/len(unit))
		began := time.Now()
		masker.Mask(text)
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("4 MiB of %s took %v", unit, took)
		}
	}
}
