package secret

import (
	"regexp"
	"strings"
)

// What gives itself away by its shape, in texts whose secrets nobody told us: the server's answers, other people's connection strings.
// A package-level pattern is a constant in all but name.
var (
	urlPassword = regexp.MustCompile(`(://[^\s:/?#@"'<>\\]*:)[^\s/?#"'<>\\]+(@)`)
	bearerToken = regexp.MustCompile(`(?i)(\bbearer\s+)[A-Za-z0-9._~+/-]{16,}=*`)
	dsnPassword = regexp.MustCompile(`(?i)(?:^|[\s;])(?:password|pwd)\s*=\s*('(?:[^'\\]|\\.)*'|\S+)`)
)

// hasShape says cheaply whether maskShapes has anything to look at.
func hasShape(text string) bool {
	return strings.Contains(text, "://") || strings.Contains(text, "earer ") || strings.Contains(text, "EARER ")
}

// maskShapes masks the password of a URL and the token after "Bearer".
func maskShapes(text string) string {
	if !hasShape(text) {
		return text
	}
	text = urlPassword.ReplaceAllString(text, "${1}"+Mask+"${2}")
	return bearerToken.ReplaceAllString(text, "${1}"+Mask)
}
