package bulker

import (
	"net/http"
	"slices"
	"strings"
)

// mayBeCommitted says whether the rows of a load that was refused may be in the warehouse all the same. They may unless it is known that they are
// not: Bulker commits after the last row only, but also when nobody waits any more.
func mayBeCommitted(a answer, finished bool) bool {
	switch kind, known := kindOf(a.failure); {
	case known && kind.prefix == completeError:
		return commitLeftOpen(a.failure)
	case known:
		return false // it gave up before the commit
	}
	// The words are not Bulker's, or it has none (a panic): a server that stopped waiting does not know what became of the request.
	return finished && (a.status >= 500 || slices.Contains(stoppedWaiting(), a.status))
}

// stoppedWaiting are the answers below 500 of proxies that gave up on a connection: 408, 460 of AWS' load balancers, 499 of nginx.
func stoppedWaiting() []int { return []int{http.StatusRequestTimeout, 460, 499} }

// commitLeftOpen says whether an error that Bulker met after the last row leaves open what became of the rows.
func commitLeftOpen(failure string) bool {
	code := sqlCode(failure)
	switch {
	case strings.Contains(failure, "failed to commit"):
		return !rolledBack(failure, code)
	case code != "":
		return false // a database with transactions said no before the commit: it undid everything
	}
	// Without a code it may be a warehouse without transactions (ClickHouse, BigQuery), where a step that failed may have been done in part.
	for _, step := range stepsBeforeTarget() {
		if strings.Contains(failure, step) {
			return false
		}
	}
	return true
}

// rolledBack says whether a database that refused to commit has said that it undid the transaction. It has when it names a fault of the rows or a
// conflict with others (classes 22, 23, 25, 40); not when the connection ended (08, 57), and not with 40003, whose meaning is that nobody knows.
func rolledBack(failure, code string) bool {
	if strings.Contains(failure, "commit unexpectedly resulted in rollback") { // pgx: the transaction had failed before
		return true
	}
	return len(code) == 5 && slices.Contains([]string{"22", "23", "25", "40"}, code[:2]) && code != "40003"
}

// stepsBeforeTarget are what Bulker does with a complete load before it touches the table's rows, in its words
// (bulkerlib/implementations/sql: abstract_transactional.go, transactional_stream.go).
func stepsBeforeTarget() []string {
	return []string{"failed to flush", "failed to init transaction", "failed to create table", "failed to ensure destination table"}
}
