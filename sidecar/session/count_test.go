package session

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"sync-sidecar/sidecar"
)

// TestCountsBesideLostLines damages lines around a connector's counts: rows between two states, which are an ordinary `r`, a count by its number.
//
//	s  a STATE that cannot be read
//	x  a RECORD that was cut before its stream's name
//	?  a line that is too long, of a type that nobody saw
//	&  a line on which a RECORD and a STATE were cut
//	!  a row whose text was repaired
//	n  a STATE without a count
//
// It is a success only where no row can be missing: one message that is lost, or several of a kind, change a count in one direction, and a count that
// agrees proves that none was a row. A row and a state that are lost together may agree by chance.
func TestCountsBesideLostLines(t *testing.T) {
	t.Parallel()
	states := 0
	state := func(stats string) string {
		states++
		return fmt.Sprintf(`{"type":"STATE","state":{"type":"STREAM","stream":{"stream_descriptor":{"name":"users"},"stream_state":{"n":%d}}%s}}`,
			states, stats)
	}
	for _, test := range []struct {
		name, lines string
		want        sidecar.Status
	}{
		{"nothing is lost", "r r 2 r 1", sidecar.StatusSuccess},
		{"a row is missing", "r r 3", sidecar.StatusFailed},
		{"a state is lost: the next counts fewer, and the one after it all", "r r s r 1 r r r 3", sidecar.StatusSuccess},
		{"a state is lost, and later a row", "r r s r 1 r r r 4", sidecar.StatusFailed},
		{"a repaired row excuses no count", "r r ! r 1", sidecar.StatusFailed},
		{"a lost row is no row of this stream", "r r x 2", sidecar.StatusSuccess},
		{"a lost row is one of this stream", "r x 2", sidecar.StatusFailed},
		{"lost rows are none of this stream", "r r x x 2", sidecar.StatusSuccess},
		{"a lost line is neither a row nor a state", "r r ? 2", sidecar.StatusSuccess},
		{"a lost line is a row", "r ? 2", sidecar.StatusFailed},
		{"a state and a row are lost, and agree by chance", "r r 2 r s x 1", sidecar.StatusFailed},
		{"a state and a row are lost, and the next count agrees", "r r 2 r r s r x r 3 r 1", sidecar.StatusFailed},
		{"two lost lines are a state and a row", "r r 2 r r ? r ? r 3 r 1", sidecar.StatusFailed},
		{"two lost lines agree by chance", "r r 2 r ? ? 1", sidecar.StatusFailed},
		{"a line that nobody can name excuses no count", "r r ? 1 r 1", sidecar.StatusFailed},
		{"a row and a state are lost on one line, and agree by chance", "r r 2 r & 1", sidecar.StatusFailed},
		{"a later count says nothing about what came before a state without one", "r r 2 r x n r 1", sidecar.StatusFailed},
		{"a state that comes again hides no row", "r 1 x =1 r 1", sidecar.StatusFailed},
	} {
		t.Run(test.name, func(t *testing.T) {
			rig := newRig(t, "users")
			rig.config.MaxLineBytes = 400
			r := rig.start()
			var last string
			for line := range strings.FieldsSeq(test.lines) {
				switch line {
				case "r":
					r.say(row("users"))
				case "s":
					r.say(`{"type":"STATE","state":{"type":"STREAM","stream":{"stream_state":{}},"sourceStats":{"recordCount":2}}}`)
				case "x":
					r.say(`{"type":"RECORD","record":{"stream":`)
				case "&":
					r.say(`{"type":"RECORD","record":{"stream":{"type":"STATE","state":{"type":`)
				case "?":
					r.say(`{"` + strings.Repeat("x", 1000) + `":1}`)
				case "!":
					r.say(strings.Replace(row("users"), `{`, "{\"n\":\"\xff\",", 1))
				case "n":
					r.say(state(""))
				case "=1":
					r.say(last)
				default:
					last = state(`,"sourceStats":{"recordCount":` + line + `}`)
					r.say(last)
				}
			}
			r.say(status("users", "COMPLETE")).exit(0).hangUp()
			report := r.end()
			if report.Status != test.want {
				t.Errorf("%s, want %s: %s", report.Status, test.want, report.Cause)
			}
			lost := slices.ContainsFunc(report.Streams, func(s sidecar.StreamReport) bool { return s.Status != sidecar.StatusSuccess })
			if (test.want == sidecar.StatusFailed) != lost {
				t.Errorf("streams %+v", report.Streams)
			}
		})
	}
}
