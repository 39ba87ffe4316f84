package bulkertest

import (
	_ "embed"
	"encoding/json"
	"fmt"
)

//go:embed answers.json
var answersFile []byte

// Where the text of an Answer is known from.
const (
	KnownServer = "server" // seen as it is: bulkerapp at c5548cf, or its bulkerlib, with Kafka 3.9 and PostgreSQL 15
	KnownParts  = "parts"  // Bulker's words read in its code, the database's seen: PostgreSQL 15 through pgx 5
	KnownCode   = "code"   // read in the code
)

// Answer is a refusal of the real Bulker, a row of answers.json. Numbers, names and addresses in it are examples.
type Answer struct {
	Name   string `json:"name"`
	Status int    `json:"status"`
	Error  string `json:"error"` // of the body {"error":"…"}
	Known  string `json:"known"` // KnownServer, KnownParts or KnownCode
	When   string `json:"when"`  // what makes Bulker say it
}

// Answers are the refusals of the real Bulker that are known.
func Answers() ([]Answer, error) {
	var answers []Answer
	if err := json.Unmarshal(answersFile, &answers); err != nil {
		return nil, fmt.Errorf("answers.json: %w", err)
	}
	return answers, nil
}

// Fault gives the answer to loads of a table (empty: of any), times times (negative: always), after their last row. Set Commit in it
// for one that comes although the rows were committed.
func (a Answer) Fault(table string, times int) Fault {
	return Fault{Table: table, Times: times, Moment: AtEnd, Status: a.Status, Error: a.Error}
}
