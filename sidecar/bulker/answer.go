package bulker

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"
)

const (
	// maxAnswer is how much of an answer is read: its state lists every column of the table.
	maxAnswer = 4 << 20
	// maxWords is how much of a server's text goes into an error, in bytes.
	maxWords = 2000
)

// answer is what Bulker, or something before it, said.
type answer struct {
	status   int
	state    *loadState // of a load that Bulker completed
	fromHere bool       // the answer has the form of Bulker's own
	words    string     // the error text, on one line and without secrets
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
	if err := json.Unmarshal(text, &said); err == nil && (said.Message != "" || said.Error != "") {
		a.fromHere, a.state = true, said.State
		a.words = words(said.Error, token)
	} else {
		a.words = words(string(text), token)
	}
	if location, err := url.Parse(response.Header.Get("Location")); err == nil {
		a.location = location.Scheme + "://" + location.Host
	}
	return a, nil
}

// words makes a server's text fit for an error: one line, no secret, bounded.
func words(text, token string) string {
	text = strings.Join(strings.Fields(redact(strings.ToValidUTF8(text, "\uFFFD"), token)), " ")
	if len(text) <= maxWords {
		return text
	}
	end := maxWords
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + " …"
}

// String is the answer in a sentence.
func (a answer) String() string {
	if a.words == "" {
		return fmt.Sprintf("status %d without a text", a.status)
	}
	return fmt.Sprintf("status %d: %s", a.status, a.words)
}
