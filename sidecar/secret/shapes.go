package secret

import (
	"bytes"
	"net/url"
	"regexp"
	"strings"
)

// What gives itself away by its shape, in texts whose secrets nobody told us: the server's answers, other people's connection strings.
// A package-level pattern is a constant in all but name.
var (
	urlPassword = regexp.MustCompile(`(://[^\s:/?#@"'<>\\]*:)[^\s/?#"'<>\\]+(@)`)
	bearerToken = regexp.MustCompile(`(?i)(\bbearer\s+)[A-Za-z0-9._~+/-]{16,}=*`)
	dsnPassword = regexp.MustCompile(`(?i)(?:^|\s)password\s*=\s*('(?:[^'\\]|\\.)*'|\S+)`)
)

// hasShape says cheaply whether maskShapes has anything to look at.
func hasShape(text string) bool {
	return strings.Contains(text, "://") || strings.Contains(text, "earer ") || strings.Contains(text, "EARER ")
}

// hasShapeBytes is hasShape without a copy.
func hasShapeBytes(text []byte) bool {
	return bytes.Contains(text, []byte("://")) || bytes.Contains(text, []byte("earer ")) || bytes.Contains(text, []byte("EARER "))
}

// maskShapes masks the password of a URL and the token after "Bearer".
func maskShapes(text string) string {
	if !hasShape(text) {
		return text
	}
	text = urlPassword.ReplaceAllString(text, "${1}"+Mask+"${2}")
	return bearerToken.ReplaceAllString(text, "${1}"+Mask)
}

// FromDSN returns the passwords in a connection string: a URL's, or that of libpq's "host=… password=…". They come as written and, for a URL,
// decoded.
func FromDSN(dsn string) []string {
	var found []string
	if match := dsnPassword.FindStringSubmatch(dsn); match != nil {
		found = append(found, strings.Trim(match[1], "'"))
	}
	if match := urlPassword.FindString(dsn); match != "" {
		_, written, _ := strings.Cut(strings.TrimPrefix(match, "://"), ":")
		found = append(found, strings.TrimSuffix(written, "@"))
	}
	if parsed, err := url.Parse(dsn); err == nil {
		if password, set := parsed.User.Password(); set {
			found = append(found, password)
		}
		for name, values := range parsed.Query() {
			if isSecretName(name) {
				found = append(found, values...)
			}
		}
	}
	return found
}
