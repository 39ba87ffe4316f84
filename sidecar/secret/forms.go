package secret

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"unicode/utf16"
)

// trivial are values that stand in configs under any name and mean nothing; masking them would make the log unreadable.
var trivial = []string{
	"true", "false", "null", "none", "undefined", "default", "disabled", "enabled", "optional", "required",
	"string", "basic", "bearer", "oauth", "oauth2", "oauth2.0", "password", "token", "secret",
	"api_key", "apikey", "access_token", "client_credentials", "refresh_token", "private_key", "service_account", "service",
}

// formsOf are the strings to look for in order to find one secret: itself, its lines when it has several (a private key is logged line by
// line), and what encoders make of each.
func formsOf(value string) []string {
	value = strings.TrimSpace(value)
	if tooPlain(value) {
		return nil
	}
	parts := []string{value}
	if strings.ContainsAny(value, "\n\r") && !json.Valid([]byte(value)) {
		for line := range strings.Lines(strings.ReplaceAll(value, "\r", "\n")) {
			// "-----BEGIN PRIVATE KEY-----" is no secret, and a useful thing to see in a log.
			if !strings.HasPrefix(line, "-----") {
				parts = append(parts, strings.TrimSpace(line))
			}
		}
	}
	var forms []string
	for _, part := range parts {
		if tooPlain(part) {
			continue
		}
		forms = append(forms, part)
		forms = append(forms, jsonForms(part)...)
		forms = append(forms, urlForms(part)...)
		forms = append(forms, base64Forms(part)...)
	}
	slices.Sort(forms)
	return slices.DeleteFunc(slices.Compact(forms), tooPlain)
}

// tooPlain says that a value is not worth masking, or would do harm.
func tooPlain(value string) bool {
	return len(value) < minLength || slices.Contains(trivial, strings.ToLower(value))
}

// jsonForms are the insides of the JSON strings that encoders make: Go's, which escapes <>&, JavaScript's, which does not, Python's, which
// escapes all that is not ASCII, PHP's, which escapes slashes; and again of those, for JSON in JSON.
func jsonForms(value string) []string {
	once := []string{
		jsonString(value, true),
		jsonString(value, false),
		jsonASCII(value),
		strings.ReplaceAll(jsonASCII(value), "/", `\/`),
	}
	for _, form := range once {
		once = append(once, jsonString(form, false))
	}
	return once
}

// jsonString is the JSON string of a value without its quotes.
func jsonString(value string, escapeHTML bool) string {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(escapeHTML)
	if err := encoder.Encode(value); err != nil { // cannot be: any string has a JSON form
		return value
	}
	return strings.TrimSuffix(strings.TrimPrefix(strings.TrimSuffix(out.String(), "\n"), `"`), `"`)
}

// jsonASCII is jsonString with \uXXXX for all that is not ASCII.
func jsonASCII(value string) string {
	const hex = "0123456789abcdef"
	var out strings.Builder
	for _, char := range jsonString(value, false) {
		if char < 0x80 {
			out.WriteRune(char)
			continue
		}
		for _, unit := range utf16.Encode([]rune{char}) {
			out.WriteString(`\u`)
			for shift := 12; shift >= 0; shift -= 4 {
				out.WriteByte(hex[unit>>shift&0xf])
			}
		}
	}
	return out.String()
}

// urlForms are the percent-encodings in a query, a path and before the @ of a URL; hexadecimal digits may be of either case.
func urlForms(value string) []string {
	forms := []string{
		url.QueryEscape(value),
		strings.ReplaceAll(url.QueryEscape(value), "+", "%20"),
		url.PathEscape(value),
		strings.TrimPrefix(url.UserPassword("", value).String(), ":"),
	}
	for _, form := range forms {
		forms = append(forms, lowerHex(form))
	}
	return forms
}

// lowerHex lower-cases the digits after each %.
func lowerHex(escaped string) string {
	out := []byte(escaped)
	for at := 0; at+2 < len(out); at++ {
		if out[at] == '%' {
			copy(out[at+1:at+3], bytes.ToLower(out[at+1:at+3]))
		}
	}
	return string(out)
}

// minBase64Length is how much of a base64 text has to be the secret's own to be looked for: shorter stretches turn up by chance.
const minBase64Length = 8

// base64Forms are the base64 texts of a value: alone, and as a part of something longer ("user:password" in a Basic authorization). There it
// begins at any of three bit positions, and its first and last character may be shared with a neighbour, so these are left off.
func base64Forms(value string) []string {
	var forms []string
	for _, encoding := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding} {
		forms = append(forms, encoding.EncodeToString([]byte(value)))
		for lead := range 3 {
			padded := append(make([]byte, lead), value...)
			text := encoding.WithPadding(base64.NoPadding).EncodeToString(padded)
			own := text[(lead*8+5)/6 : len(padded)*8/6]
			if len(own) >= minBase64Length {
				forms = append(forms, own)
			}
		}
	}
	return forms
}
