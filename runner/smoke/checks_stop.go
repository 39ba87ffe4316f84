package smoke

import (
	"fmt"

	"sync-sidecar/sidecar/airbyte"
)

// stopChecks are about a read that is told to stop, and about one that is told to log more.
func stopChecks() []check {
	return []check{
		{"stop.time", "the connector ends soon after SIGTERM", "whoever stops it waits so long, and then kills it",
			"handle SIGTERM, and wait for nothing that takes long",
			[]string{stepStop}, stopTime},
		{"stop.exit", "a read that was stopped before its end does not end with exit code 0",
			"a platform takes it for a whole read, and deletes what did not come",
			"exit with 143, or send INCOMPLETE and exit with another code than 0", []string{stepStop}, stopped(stopExit)},
		{"stop.states", "the states of a read that was stopped cover only records that came", "the next sync goes on behind what was lost",
			"count, and remember, what was written and not what was fetched", []string{stepStop}, countedToo},
		{"debug.lines", "with LOG_LEVEL=DEBUG each message still has a line of its own",
			"debug output from another thread breaks records: rows are lost when somebody looks for an error",
			"write every line under one lock, with its line feed", []string{stepDebug}, brokenByDebug},
	}
}

func stopTime(s *scenario) finding {
	e := s.evidence[stepStop]
	switch {
	case e == nil:
		return skip(s.whyNot(stepStop))
	case e.Recording.Stop == nil:
		return skip("it ended before it could be stopped")
	case e.Killed:
		return fail(fmt.Sprintf("it had to be killed %s after SIGTERM", s.settings.Grace))
	}
	return pass(fmt.Sprintf("%.1f s after SIGTERM", max(0, e.Recording.Seconds-e.Recording.Stop.Seconds-e.Recording.Held)))
}

// stopped judges a read that was stopped before its end, and ended by itself then.
func stopped(judge func(*Evidence) finding) func(*scenario) finding {
	return on(stepStop, func(e *Evidence) finding {
		switch {
		case e.Recording.Stop == nil:
			return skip("it ended before it could be stopped")
		case e.Killed:
			return skip("it had to be killed")
		}
		return judge(e)
	})
}

func stopExit(e *Evidence) finding {
	if end := e.exit(); end != "" {
		return pass(end)
	}
	for _, stream := range e.Streams {
		if e.knowsStatuses() && stream.ended() != airbyte.StreamComplete {
			return fail(fmt.Sprintf("exit code 0, and stream %q is not COMPLETE", stream.Descriptor))
		}
	}
	return pass("it went on to its end")
}

func stopStates(e *Evidence) finding {
	found := stateCounts(e)
	if found.status == Warn {
		return skip("its states have no counts")
	}
	return found
}

// countedToo is about states of a connector that counts well when nobody stops it.
func countedToo(s *scenario) finding {
	if e := s.evidence[stepRead]; e != nil && stateCounts(e).status == Fail {
		return skip("the counts of the first read were wrong already")
	}
	return stopped(stopStates)(s)
}

// brokenByDebug is about lines of a connector that writes them well when nobody asks for more logs.
func brokenByDebug(s *scenario) finding {
	if e := s.evidence[stepRead]; e != nil && e.damage(airbyte.DefectBrokenLine, airbyte.DefectJoinedLine).Count > 0 {
		return skip("the first read had such lines already")
	}
	return on(stepDebug, debugLines)(s)
}

func debugLines(e *Evidence) finding {
	damaged := e.damage(airbyte.DefectBrokenLine, airbyte.DefectJoinedLine)
	switch {
	case damaged.Count > 0:
		return fail(damaged.where() + " lines")
	case e.exit() != "" && !e.Recording.Enough:
		return fail(e.said()...)
	}
	return pass(fmt.Sprintf("%d records, %d bytes of logs", e.Rows, e.LogBytes))
}
