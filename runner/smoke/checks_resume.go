package smoke

import (
	"fmt"
	"slices"
)

// resumeChecks are about reads that start from a state.
func resumeChecks() []check {
	return []check{
		{"again.exit", "a read from its own last states ends well", "every sync but the first one begins so",
			"look at how states are parsed; run `sync-sidecar run read` twice to see it", []string{stepAgain}, on(stepAgain, resumed)},
		{"again.progress", "a read from the last states does not bring all the same records again",
			"each sync would cost as much as the first, and append each row again",
			"use the state that is given", []string{stepAgain}, onBoth(stepAgain, progress)},
		{"resume.exit", "a read from states in the middle ends well", "a sync that was interrupted goes on so", "look at how states are parsed",
			[]string{stepResume},
			resumedToo},
		{"resume.rest", "a read from a state in the middle brings every record that came after it", "an interrupted sync loses what is missing, for ever",
			"let a state say no more than what was sent before it, and read on from there", []string{stepResume}, onBoth(stepResume, rest)},
		{"bad-catalog.refused", "`read` fails for a catalog with a stream that does not exist, in a mode that does not exist",
			"a sync that does nothing would be called a success", "end with an ERROR trace and another exit code than 0", []string{stepBadCatalog},
			on(stepBadCatalog, catalogRefused)},
	}
}

func resumed(e *Evidence) finding {
	switch end := e.exit(); {
	case end != "" && !e.Recording.Enough:
		return fail(append([]string{end}, e.words()...)...)
	case len(e.Errors) > 0:
		return fail(e.words()...)
	case !e.complete():
		return fail("not every stream says COMPLETE")
	}
	return pass(fmt.Sprintf("%d records", e.Rows))
}

// resumedToo is resumed, unless the connector goes on from no state at all.
func resumedToo(s *scenario) finding {
	if e := s.evidence[stepAgain]; e != nil && resumed(e).status == Fail {
		return skip("a read from its last states failed already")
	}
	return on(stepResume, resumed)(s)
}

// onBoth compares a read from states with the one that these are from.
func onBoth(step string, judge func(point checkpoint, first, second *Evidence) finding) func(*scenario) finding {
	return on2(step, func(s *scenario, e *Evidence) finding {
		if !e.sound() || !e.complete() {
			return skip("the read failed")
		}
		return judge(s.points[step], s.evidence[stepRead], e)
	})
}

func on2(step string, judge func(*scenario, *Evidence) finding) func(*scenario) finding {
	return func(s *scenario) finding {
		if e := s.evidence[step]; e != nil {
			return judge(s, e)
		}
		return skip(s.whyNot(step))
	}
}

// progress finds streams whose second read brought every record of the first, unchanged. Where all records have one value of the cursor nothing can
// be told: a connector may ask for what is as new as its state, or newer.
func progress(point checkpoint, first, second *Evidence) finding {
	var stuck []string
	for _, before := range point.streams {
		after := second.byName[before.Descriptor]
		if after == nil || before.Rows == 0 || len(before.cursors) < 2 && len(before.cursor) > 0 || before.Cut {
			continue
		}
		came := map[[16]byte]bool{}
		for _, row := range after.rows {
			came[row.digest] = true
		}
		if !slices.ContainsFunc(before.rows, func(r row) bool { return !came[r.digest] }) {
			stuck = append(stuck, fmt.Sprintf("stream %q: all %d records came again, unchanged", before.Descriptor, before.Rows))
		}
	}
	return faulty(Fail, few(stuck), fmt.Sprintf("%d records, after %d", second.Rows, first.Rows))
}

// rest finds records that came after a state of the first read, and not in the read from that state.
func rest(point checkpoint, _, second *Evidence) finding {
	var lossy, silent []string
	compared := 0
	for _, before := range point.streams {
		after := second.byName[before.Descriptor]
		from := point.rows[before]
		if after == nil || from >= int64(len(before.rows)) || after.Cut && after.Rows < int64(len(before.rows))-from {
			continue
		}
		compared++
		missing := missingOf(before.rows[from:], after.rows, len(before.key) > 0 && before.KeyNull.Count+after.KeyNull.Count == 0)
		switch {
		case missing == 0:
		case after.Rows == 0:
			silent = append(silent, fmt.Sprintf("stream %q: nothing came from the state after record %d of %d: its states say that it was read, not how far",
				before.Descriptor, from, before.Rows))
		default:
			lossy = append(lossy, fmt.Sprintf("stream %q: %d of the %d records after record %d did not come again", before.Descriptor, missing,
				int64(len(before.rows))-from, from))
		}
	}
	if len(lossy) > 0 {
		return fail(few(append(lossy, silent...))...)
	}
	return faulty(Warn, few(silent), fmt.Sprintf("%d streams, %d records", compared, second.Rows))
}

// missingOf counts the rows of a list that the other one lacks: by their keys or, without keys, by their number.
func missingOf(want, got []row, keyed bool) int {
	if !keyed {
		return max(0, len(want)-len(got))
	}
	came := make(map[string]bool, len(got))
	for _, row := range got {
		came[row.key] = true
	}
	missing := 0
	for _, row := range want {
		if !came[row.key] {
			missing++
		}
	}
	return missing
}

func catalogRefused(e *Evidence) finding {
	if e.exit() != "" || len(e.Errors) > 0 {
		return pass(e.said()...)
	}
	return fail("it ends with exit code 0 and reports no ERROR")
}
