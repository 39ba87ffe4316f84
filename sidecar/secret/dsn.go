package secret

import (
	"net/url"
	"slices"
	"strings"
)

// FromDSN returns the passwords in a connection string: a URL's, that of libpq's "host=… password=…", and that of "Server=…;Password=…". They come
// as written and decoded. Of a URL whose password has signs that are not escaped, everything that may be the password or a part of it is returned:
// whoever reads it finds the rest in host, port or path, and says so in an error.
func FromDSN(dsn string) []string {
	var found []string
	note := func(passwords ...string) {
		for _, password := range passwords {
			if password != "" && !slices.Contains(found, password) {
				found = append(found, password)
			}
		}
	}
	for _, match := range dsnPassword.FindAllStringSubmatch(dsn, -1) {
		note(keywordValue(match[1])...)
	}
	scheme, rest, isURL := strings.Cut(dsn, "://")
	if !isURL {
		return found
	}
	for _, password := range urlPasswords(scheme, rest) {
		note(password)
		if decoded, err := url.PathUnescape(password); err == nil {
			note(decoded)
		}
	}
	_, query, _ := strings.Cut(rest, "?")
	values, _ := url.ParseQuery(query) //nolint:errcheck // what could be read of it is there
	for name, texts := range values {
		if IsName(name) {
			note(texts...)
		}
	}
	return found
}

// keywordValue is the value after password=: quoted, or up to the next space or, where semicolons part the keywords, semicolon.
func keywordValue(written string) []string {
	if quoted, ok := strings.CutPrefix(written, "'"); ok {
		quoted = strings.TrimSuffix(quoted, "'")
		return []string{quoted, strings.NewReplacer(`\\`, `\`, `\'`, "'").Replace(quoted)}
	}
	part, _, _ := strings.Cut(written, ";")
	return []string{written, part}
}

// urlPasswords are what may be the password of a URL, as written, and the parts of one that is not escaped.
func urlPasswords(scheme, rest string) []string {
	authority := rest[:indexAny(rest, "/?#")]
	user, given := beforeLast(authority)
	if end := indexAny(rest, "@/"); !given && end < len(rest) && rest[end] == '@' {
		// libpq ends a password at the first @, whatever is before it but a slash.
		return passwordIn(rest[:end])
	}
	var found []string
	if given {
		found = passwordIn(user)
	}
	web := slices.Contains([]string{"http", "https", "ws", "wss"}, strings.ToLower(scheme))
	if web || !strings.Contains(authority, ":") { // what follows host and port may hold an @
		return found
	}
	path := rest[:indexAny(rest, "?")]
	beyond, more := beforeLast(path)
	if !more && !given {
		beyond, more = beforeLast(rest)
	}
	switch {
	case more && len(beyond) > len(authority):
		return append(found, partsOf(passwordIn(beyond))...)
	case strings.Contains(strings.Join(found, ""), "@"):
		return partsOf(found)
	}
	return found
}

// indexAny is where the first of some characters is, or the end.
func indexAny(text, chars string) int {
	if at := strings.IndexAny(text, chars); at >= 0 {
		return at
	}
	return len(text)
}

// beforeLast is what is before the last @.
func beforeLast(text string) (before string, found bool) {
	at := strings.LastIndexByte(text, '@')
	return text[:max(at, 0)], at >= 0
}

// passwordIn is what follows the user's name.
func passwordIn(user string) []string {
	if _, password, ok := strings.Cut(user, ":"); ok {
		return []string{password}
	}
	return nil
}

// partsOf adds to a password the parts into which a reader of the URL may take it apart.
func partsOf(passwords []string) []string {
	parts := passwords
	for _, password := range passwords {
		parts = append(parts, strings.FieldsFunc(password, func(char rune) bool { return strings.ContainsRune("@/?#:&=", char) })...)
	}
	return parts
}
