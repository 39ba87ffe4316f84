package smoke

import (
	"fmt"
	"strings"
)

// rowChecks are about the records of a read.
func rowChecks() []check {
	return []check{
		rowCheck("read.schema", "each record fits the schema of its stream",
			"columns are made by the schema, and values that do not fit become null or fail the sync",
			"correct the schema of the stream, or the value", Fail, misfits),
		rowCheck("read.undeclared", "each field of a record is in the schema of its stream",
			"a destination that makes columns by the schema leaves the field out",
			"add the field to the schema", Warn, undeclared),
		rowCheck("read.key-null", "each record has its primary key", "a destination refuses a row without its key",
			"leave such rows out, or choose another key", Fail, seen("records without a value of the key", func(s *Stream) Seen { return s.KeyNull })),
		rowCheck("read.key-unique", "no two records have the same primary key", "rows that have the key of others replace them",
			"correct source_defined_primary_key, or read each page once", Fail, seen("records with the key of an earlier one",
				func(s *Stream) Seen { return s.KeyRepeat })),
		rowCheck("read.cursor", "each record of an incremental stream has its cursor", "what has none is read again each time, or never again",
			"choose a field that is always there", Warn, seen("records without a value of the cursor", func(s *Stream) Seen { return s.CursorNull })),
		rowCheck("read.emitted-at", "each record has emitted_at, in milliseconds since 1970", "it tells which version of a row is the newer one",
			"multiply seconds by 1000", Fail, seen("records whose emitted_at is missing or no such time", func(s *Stream) Seen { return s.EmittedAt })),
		rowCheck("read.long-records", "no record is longer than 1,048,575 bytes", "Bulker, and some warehouses, take no longer rows",
			"leave out, or cut, what large fields hold", Warn, seen("longer records", func(s *Stream) Seen { return s.Long })),
		rowCheck("read.text", "texts hold no NUL, and no half of a surrogate pair", "Postgres stores neither, and refuses the row or loses the character",
			"remove them where the source is read", Warn, seen("records with such a text", func(s *Stream) Seen { return s.NUL })),
		rowCheck("read.files", "records are rows, and stand for no files", "a file stays on the connector's disk unless the platform moves files",
			"none, where the platform does", Warn, seen("records that stand for files", func(s *Stream) Seen { return s.Files })),
	}
}

// rowCheck is a check of the records, stream by stream.
func rowCheck(id, claim, why, do string, status Status, of func(*Stream) []string) check {
	return check{id, claim, why, do, []string{stepRead}, on(stepRead, func(e *Evidence) finding {
		if e.Rows == 0 {
			return skip("there are no records")
		}
		return faulty(status, eachStream(e, of), fmt.Sprintf("%d records", e.Rows))
	})}
}

// seen tells what was counted of a stream.
func seen(what string, of func(*Stream) Seen) func(*Stream) []string {
	return func(s *Stream) []string {
		if found := of(s); found.Count > 0 {
			return []string{found.where() + " " + what}
		}
		return nil
	}
}

func misfits(s *Stream) []string {
	var all []string
	for problem, found := range s.Misfits {
		all = append(all, fmt.Sprintf("field %s %s: %s records", problem.Path, problem.What, found.where()))
	}
	return sorted(all)
}

func undeclared(s *Stream) []string {
	if len(s.Undeclared) == 0 {
		return nil
	}
	return []string{"fields that are not in the schema: " + strings.Join(few(names(s.Undeclared)), ", ")}
}
