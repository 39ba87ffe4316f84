package bulker

import (
	"fmt"
	"regexp"
	"strings"
)

// abortedTransaction is the code of every statement that follows a failed one in the same transaction. Bulker goes on after some failures of ALTER
// TABLE and then tells this one: a race with another load, which the next attempt does not meet, or a fault that lasts, and it does not say which.
const abortedTransaction = "25P02"

// sqlCodes finds the codes that pgx, the driver of Bulker's Postgres, puts behind each error of the server: "… (SQLSTATE 23502)".
var sqlCodes = regexp.MustCompile(`\(SQLSTATE ([0-9A-Z]{5})\)`)

// sqlCode is the SQLSTATE of an error: the last one in its text, where the cause stands; when that is the one of an aborted transaction, the first
// other one, which aborted it. Empty when there is none: only Postgres and what speaks like it give any.
func sqlCode(failure string) string {
	found := sqlCodes.FindAllStringSubmatch(failure, -1)
	if len(found) == 0 {
		return ""
	}
	if last := found[len(found)-1][1]; last != abortedTransaction {
		return last
	}
	for _, match := range found {
		if match[1] != abortedTransaction {
			return match[1]
		}
	}
	return abortedTransaction
}

// sqlState is what a SQLSTATE means for a load (https://www.postgresql.org/docs/current/errcodes-appendix.html).
type sqlState struct {
	code    string // five characters, or the two of a class
	outlook outlook
	advice  string // what it means and what a person can do
}

// sqlStateOf finds the meaning of an error's SQLSTATE: that of the code, else that of its class. Of other classes the type of Bulker's error decides.
func sqlStateOf(failure string) (sqlState, bool) {
	code := sqlCode(failure)
	if code == "" {
		return sqlState{}, false
	}
	class := sqlState{}
	for _, state := range sqlStates() {
		switch state.code {
		case code:
			return state, true
		case code[:2]:
			class = state
		}
	}
	return class, class.code != ""
}

// sqlStates are the codes and classes that are known.
func sqlStates() []sqlState {
	const (
		otherType = "the table's column has another type than the rows: alter it, or drop the table and run a full refresh"
		noFit     = "a value does not fit its column: compare the stream's schema with the table; alter the column, or drop it to have it made again"
		changed   = "the table changed under the load, or something else has its name, as a view may"
	)
	return []sqlState{
		{"08", mayPass, "Bulker lost its connection to the warehouse"},
		{"40", mayPass, "another transaction was in the way"},
		{"53", mayPass, "the warehouse is short of something"},
		{"53100", mayPass, "the warehouse's disk is full: make room there"},
		{"53200", mayPass, "the warehouse is out of memory"},
		{"53300", mayPass, "the warehouse takes no more connections: raise max_connections, or end some"},
		{"55P03", mayPass, "somebody holds a lock on the table"},
		{"55006", mayPass, "somebody uses the table"},
		{"57", mayPass, "the warehouse is going down or starting"},
		{"57014", mayPass, "the warehouse ended the statement: raise the statement_timeout of Bulker's user"},
		{"58", mayPass, "the warehouse's system failed: look at its log"},
		{"25006", mayPass, "the warehouse is read-only: a standby, or short of disk"},

		{abortedTransaction, soonOrNever, "what failed first is in the warehouse's log only; often it is a primary key that rows of the table " +
			"contradict, by duplicates or nulls: remove those, or drop the table and run a full refresh"},
		{"42P01", soonOrNever, changed}, {"42P07", soonOrNever, changed}, {"42710", soonOrNever, changed}, {"55000", soonOrNever, changed},
		{"42701", soonOrNever, changed + "; two columns may also be one for the warehouse, which cuts names at 63 bytes"},
		{"42703", soonOrNever, "a column is not there: the table changed under the load, or no row has the key's column"},
		{"0A000", soonOrNever, "the warehouse cannot do that with this table: a foreign key on it, for one, forbids a full refresh"},

		{"21", cannotPass, "rows that Bulker tells apart have one key for the warehouse: choose another primary key"},
		{"22", cannotPass, noFit},
		{"22001", cannotPass, "a text is longer than its column takes: make the column wider"},
		{"22003", cannotPass, "a number is larger than its column takes: give the column a larger type, such as numeric"},
		{"22021", cannotPass, "a text has characters that the warehouse's encoding does not have"},
		{"22P02", cannotPass, "a value is not what its column holds, as plain text in a JSON column or a type that changed: alter the column, " +
			"or drop it to have it made again"},
		{"22P05", cannotPass, "a text has characters that the warehouse's encoding does not have"},
		{"23", cannotPass, "the rows break a rule of the table"},
		{"23502", cannotPass, "a row has no value in a column that must have one, as each column of a primary key must: choose another key, " +
			"or set DEDUPLICATE=false (and drop the column's NOT NULL where the table exists)"},
		{"23503", cannotPass, "a foreign key of the table wants rows that are not there: drop it"},
		{"23505", cannotPass, "rows that Bulker tells apart are equal for the primary key or a unique index of the table: choose another key, " +
			"or drop the index"},
		{"28", cannotPass, "the warehouse does not let Bulker in: check user and password of the destination in Bulker"},
		{"2BP01", cannotPass, "something else depends on what Bulker has to change"},
		{"3D000", cannotPass, "the database does not exist: make it, or correct the destination in Bulker"},
		{"3F000", cannotPass, "the schema does not exist: make it (CREATE SCHEMA), or correct the destination in Bulker"},
		{"42", cannotPass, "the warehouse does not take Bulker's statement"},
		{"42501", cannotPass, "Bulker's user lacks a right in the warehouse"},
		{"42601", cannotPass, "the warehouse does not take Bulker's statement: a new table needs a column, and rows that are {} bring none"},
		{"42704", cannotPass, "Bulker does not find what it names: a primary key constraint with capitals in its name must be renamed"},
		{"42804", cannotPass, otherType}, {"42846", cannotPass, otherType}, {"42883", cannotPass, otherType},
		{"54", cannotPass, "the rows are too large for the warehouse"},
		{"54000", cannotPass, "a row, or the key of one, is too large for a page of Postgres: leave fields of the stream out, or choose another key"},
		{"54011", cannotPass, "Postgres takes 1,600 columns a table: leave fields of the stream out"},
	}
}

// denied and notOwned find the object that a role has no right to.
var (
	denied   = regexp.MustCompile(`permission denied for (schema|database|table|view|relation) (.+?) \(SQLSTATE`)
	notOwned = regexp.MustCompile(`must be owner of (table|view|schema) (.+?) \(SQLSTATE`)
)

// explain is the advice, with the missing right in SQL when the error names its object.
func (s sqlState) explain(failure string) string {
	if s.code != "42501" {
		return s.advice
	}
	if found := notOwned.FindStringSubmatch(failure); found != nil {
		return fmt.Sprintf("%s: ALTER %s %s OWNER TO <Bulker's user>", s.advice, strings.ToUpper(found[1]), quoted(found[2]))
	}
	found := denied.FindStringSubmatch(failure)
	if found == nil {
		return s.advice
	}
	right := "SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON"
	switch found[1] {
	case "schema":
		right = "USAGE, CREATE ON SCHEMA"
	case "database":
		right = "CREATE ON DATABASE"
	}
	return fmt.Sprintf("%s: GRANT %s %s TO <Bulker's user>", s.advice, right, quoted(found[2]))
}

// quoted writes a name as SQL does.
func quoted(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// driverError is an error of pgx about the rows, which the server never saw: it has no SQLSTATE.
type driverError struct {
	contains string
	advice   string
}

// driverErrors are those that the same rows meet again.
func driverErrors() []driverError {
	const mixed = "the values of one column are of types that do not mix, as true and 1: declare one type for it in the stream's schema"
	return []driverError{
		{"cannot find encode plan", mixed},
		{"unsupported value: NaN", "a number column cannot hold the text NaN"},
		{"unsupported value: +Inf", "a number column cannot hold the text Infinity"},
		{"unsupported value: -Inf", "a number column cannot hold the text -Infinity"},
	}
}
