package smoke

import (
	"fmt"

	"sync-sidecar/sidecar/airbyte"
)

// outputChecks are about the lines of a read, whatever they say.
func outputChecks() []check {
	read := []string{stepRead}
	damaged := func(status Status, kinds ...airbyte.DefectKind) func(*scenario) finding {
		return on(stepRead, func(e *Evidence) finding {
			if seen := e.damage(kinds...); seen.Count > 0 {
				return finding{status, []string{seen.where() + " lines"}}
			}
			return pass()
		})
	}
	return []check{
		{"read.lost-lines", "each line is whole", "what was on a broken line is lost, mostly without a word",
			"write each line in one piece, under a lock where several threads write", read, on(stepRead, lostLines)},
		{"read.joined-lines", "each message has a line of its own", "Airbyte's platform takes the first one of a line and loses the others",
			"end each message with a line feed, in the same write", read, damaged(Fail, airbyte.DefectJoinedLine)},
		{"read.stdout", "everything on stdout is a message of the protocol",
			"other lines end up in logs, and may break a message when threads write at once",
			"log with LOG messages or to stderr; find what prints, such as a library or the JVM", read, on(stepRead, otherOutput)},
		{"read.payloads", "each message has what its type needs", "a message without it is dropped silently", "send no empty messages", read,
			damaged(Warn, airbyte.DefectPayload)},
		{"read.numbers", "numbers are finite: no NaN, no Infinity", "JSON has none: a platform drops the record", "send null", read,
			damaged(Fail, airbyte.DefectNumber)},
		{"read.encoding", "the output is UTF-8, and control characters in it are escaped", "a line that is not JSON is dropped by some platforms",
			"decode what the source gives by its own encoding, and use a JSON library to write", read,
			damaged(Fail, airbyte.DefectUTF8, airbyte.DefectControl)},
		{"read.log-volume", "logs are less than the records", "logs are stored, paid for and looked through",
			"log a line for each request, not for each record", read,
			on(stepRead, logVolume)},
	}
}

func lostLines(e *Evidence) finding {
	if e.Lost == 0 {
		return pass(fmt.Sprintf("the longest has %d bytes (stdout line %d)", e.Longest.Bytes, e.Longest.Number))
	}
	if e.exit() != "" {
		return skip("the read failed")
	}
	seen := e.damage(airbyte.DefectBrokenLine, airbyte.DefectCutLine, airbyte.DefectOversizeLine)
	return fail(seen.where() + " lines could not be read")
}

func otherOutput(e *Evidence) finding {
	seen := e.damage(airbyte.DefectUnknownType)
	seen.Lines = append(append([]int64(nil), e.Text.Lines...), seen.Lines...)
	if seen.Count += e.Text.Count; seen.Count == 0 {
		return pass()
	}
	evidence := []string{seen.where() + " other lines"}
	if e.Sample != "" {
		evidence = append(evidence, "the first: "+e.Sample)
	}
	return warn(evidence...)
}

// noise is how many bytes of logs nobody minds.
const noise = 1 << 20

func logVolume(e *Evidence) finding {
	text := fmt.Sprintf("%d bytes of logs, %d bytes of records", e.LogBytes, e.RowBytes)
	if e.LogBytes > noise+e.RowBytes {
		return warn(text)
	}
	return pass(text)
}
