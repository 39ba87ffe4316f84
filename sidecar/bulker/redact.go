package bulker

import (
	"encoding/json"
	"net/url"
	"regexp"
	"strings"
)

// redacted stands where a secret was.
const redacted = "***"

// echoedToken matches how Bulker repeats the token that it refuses (jitsubase/appbase/router_base.go).
var echoedToken = regexp.MustCompile(`(?i)(invalid token: )[^"\n]*`)

// redact masks the token wherever a server repeats it, plain or escaped (I5).
func redact(text, token string) string {
	if token == "" {
		return echoedToken.ReplaceAllString(text, "${1}"+redacted)
	}
	forms := []string{token, url.QueryEscape(token), url.PathEscape(token)}
	if quoted, err := json.Marshal(token); err == nil {
		forms = append(forms, strings.Trim(string(quoted), `"`))
	}
	for _, form := range forms {
		text = strings.ReplaceAll(text, form, redacted)
	}
	return echoedToken.ReplaceAllString(text, "${1}"+redacted)
}
