package secret_test

import (
	"fmt"
	"html"
	"net/url"
	"strconv"
	"strings"
)

// writers are ways in which programs write a text into something else.
func writers() map[string]func(string) string {
	backslashed := func(special string) func(string) string {
		return func(text string) string {
			var out strings.Builder
			for _, char := range text {
				if strings.ContainsRune(special, char) {
					out.WriteByte('\\')
				}
				out.WriteRune(char)
			}
			return out.String()
		}
	}
	percent := func(unreserved string, format string) func(string) string {
		return func(text string) string {
			var out strings.Builder
			for _, c := range []byte(text) {
				if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte(unreserved, c) >= 0 {
					out.WriteByte(c)
				} else {
					fmt.Fprintf(&out, format, c)
				}
			}
			return out.String()
		}
	}
	entities := func(format string) func(string) string {
		return func(text string) string {
			var out strings.Builder
			for _, char := range text {
				if char < 0x80 && !strings.ContainsRune(`<>&"'`, char) {
					out.WriteRune(char)
				} else {
					fmt.Fprintf(&out, format, char)
				}
			}
			return out.String()
		}
	}
	return map[string]func(string) string{
		"plain":                 func(text string) string { return text },
		"JSON":                  quoted,
		"JSON of PHP":           func(text string) string { return strings.ReplaceAll(quoted(text), "/", `\/`) },
		"JSON of Python":        func(text string) string { return strings.Trim(strconv.QuoteToASCII(text), `"`) },
		"repr":                  pythonRepr,
		"repr of bytes":         func(text string) string { return goBytes(backslashed(`\'`)(text)) },
		"quote of Python":       percent("_.-~/", "%%%02X"),
		"quote_plus of Python":  func(text string) string { return strings.ReplaceAll(percent("_.-~ ", "%%%02X")(text), " ", "+") },
		"encodeURIComponent":    percent("-_.!~*'()", "%%%02X"),
		"encodeURI":             percent("-_.!~*'();,/?:@&=+$#", "%%%02X"),
		"URLEncoder of Java":    func(text string) string { return strings.ReplaceAll(percent("-_.* ", "%%%02X")(text), " ", "+") },
		"a URL in lower case":   percent("", "%%%02x"),
		"a user of a URL":       func(text string) string { return strings.TrimPrefix(url.UserPassword("", text).String(), ":") },
		"HTML of Go":            html.EscapeString,
		"HTML of Python":        strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "'", "&#x27;").Replace,
		"XML":                   strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "'", "&apos;").Replace,
		"decimal entities":      entities("&#%d;"),
		"hexadecimal entities":  entities("&#x%x;"),
		"SQL":                   strings.NewReplacer("'", "''").Replace,
		"SQL of MySQL":          backslashed(`\'"`),
		"SQL of Postgres, E''":  strings.NewReplacer(`\`, `\\`, "'", "''").Replace,
		"CSV":                   strings.NewReplacer(`"`, `""`).Replace,
		"a shell":               strings.NewReplacer("'", `'\''`).Replace,
		"a shell, other quotes": strings.NewReplacer("'", `'"'"'`).Replace,
		"a shell, printf %q":    backslashed(" !\"#$&'()*;<>?[\\]^`{|}~"),
		"a regular expression":  backslashed(`.*+?()[]{}|^$\/-`),
		"properties of Java":    backslashed(`:=#! \`),
		"octal":                 func(text string) string { return octal(backslashed(`\'`)(text)) },
	}
}

// pythonRepr is the inside of repr(text) of Python.
func pythonRepr(text string) string {
	text = strings.NewReplacer(`\`, `\\`, "\n", `\n`, "\t", `\t`, "\r", `\r`).Replace(text)
	if strings.Contains(text, "'") && strings.Contains(text, `"`) {
		text = strings.ReplaceAll(text, "'", `\'`)
	}
	return text
}

// goBytes escapes all that is not ASCII byte by byte.
func goBytes(text string) string {
	var out strings.Builder
	for _, c := range []byte(text) {
		if c < 0x80 {
			out.WriteByte(c)
		} else {
			fmt.Fprintf(&out, `\x%02x`, c)
		}
	}
	return out.String()
}

func octal(text string) string {
	var out strings.Builder
	for _, c := range []byte(text) {
		if c < 0x80 {
			out.WriteByte(c)
		} else {
			fmt.Fprintf(&out, `\%03o`, c)
		}
	}
	return out.String()
}
