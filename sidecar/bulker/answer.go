package bulker

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

const (
	// maxAnswer is how much of an answer is read: its state lists every column of the table.
	maxAnswer = 4 << 20
	// maxWords is how much of a server's text goes into an error, in bytes.
	maxWords = 2000
)

// answer is what Bulker, or something before it, said. Its texts are on one line, without secrets, and whole: what matters may stand at their end.
type answer struct {
	status   int
	ok       bool       // {"message":"ok"}, which is how Bulker says yes
	state    *loadState // of a load that Bulker completed
	failure  string     // of {"error":"<type>: <text>"}, which is how Bulker says no
	other    string     // a body in no form of Bulker's
	location string     // host that a redirect names
}

// loadState is what is used of bulkerlib.State (bulkerlib/bulker.go).
type loadState struct {
	Status        string `json:"status"`
	ProcessedRows int64  `json:"processedRows"`
	Error         any    `json:"error"`
}

// readAnswer reads and closes a response.
func readAnswer(response *http.Response, token string) (answer, error) {
	defer func() { _ = response.Body.Close() }() // nothing is lost with it: the answer was read, or reading failed
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return answer{}, fmt.Errorf("read the answer (status %d): %w", response.StatusCode, err)
	}
	a := answer{status: response.StatusCode}
	var said struct {
		Message string     `json:"message"`
		Error   string     `json:"error"`
		State   *loadState `json:"state"`
	}
	switch err := json.Unmarshal(text, &said); {
	case err == nil && said.Error != "":
		a.failure = line(said.Error, token)
	case err == nil && said.Message == "ok":
		a.ok, a.state = true, said.State
	default:
		a.other = line(string(text), token)
	}
	if location, err := url.Parse(response.Header.Get("Location")); err == nil {
		a.location = location.Scheme + "://" + location.Host
	}
	return a, nil
}

// line puts a server's text on one line, without secrets.
func line(text, token string) string {
	return strings.Join(strings.Fields(redact(strings.ToValidUTF8(text, "\uFFFD"), token)), " ")
}

// words makes a server's text fit for an error: one line, no secret, bounded.
func words(text, token string) string { return shorten(line(text, token)) }

// shorten bounds a text.
func shorten(text string) string {
	if len(text) <= maxWords {
		return text
	}
	return cutBytes(text, maxWords) + " …"
}

// String is the answer in a sentence.
func (a answer) String() string {
	switch {
	case a.failure != "":
		return fmt.Sprintf("status %d: %s", a.status, shorten(cause(a.failure)))
	case a.other != "":
		return fmt.Sprintf("status %d: %s", a.status, shorten(a.other))
	}
	return fmt.Sprintf("status %d without a text", a.status)
}

// cause leaves out what stands between the type of Bulker's error and its cause: what Bulker was about to do, with the whole SQL statement. Bulker's
// library of errors joins them as "<step>, cause: <cause>" (github.com/joomcode/errorx).
func cause(failure string) string {
	kind, rest, _ := strings.Cut(failure, ": ")
	for _, separator := range []string{", cause: ", "cause:"} {
		if at := strings.LastIndex(rest, separator); at >= 0 {
			return kind + ": " + strings.TrimSpace(rest[at+len(separator):])
		}
	}
	return failure
}
