package project

import (
	"fmt"
	"strconv"
	"time"
)

// String says what belongs where an option of the kind is.
func (k Kind) String() string {
	return map[Kind]string{Text: "a text", Integer: "a whole number", Number: "a number", Duration: "a duration, as 90s or 1h30m,",
		Switch: "true or false", List: "a list of texts", Pairs: "a list of NAME=VALUE, or an object", Document: "the name of a file, or an object"}[k]
}

// takes says whether a text can be the value of an option of the kind, as the flag of that name reads it.
func (k Kind) takes(text string) bool {
	var err error
	switch k {
	case Integer:
		_, err = strconv.ParseInt(text, 0, 64)
	case Number:
		_, err = strconv.ParseFloat(text, 64)
	case Duration:
		_, err = time.ParseDuration(text)
	case Switch:
		_, err = strconv.ParseBool(text)
	case Text, List, Pairs, Document: // whatever it is
	}
	return err == nil
}

// wants is what to say of a text that the kind does not take.
func (k Kind) wants(text string) string { return fmt.Sprintf("%s belongs here, not %q", k, text) }
