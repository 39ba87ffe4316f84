package session

import (
	"testing"

	"sync-sidecar/sidecar"
)

// TestStatesBeforeTheTableIsReplaced reads streams whose first load replaces what is there. A state that comes before that load is saved with it, or
// when the stream has ended well without a row; a read that ends before leaves no state, so that the next one replaces, too.
func TestStatesBeforeTheTableIsReplaced(t *testing.T) {
	t.Parallel()
	state := func(n string) string {
		return `{"type":"STATE","state":{"type":"STREAM","stream":{"stream_descriptor":{"name":"users"},"stream_state":` + n + `}}}`
	}
	for _, test := range []struct {
		name  string
		lines []string
		exit  int
		want  string // the saved state
	}{
		{"it comes with the rows", []string{state("1"), row("users")}, 1, "1"},
		{"rows and another state follow", []string{state("1"), row("users"), state("2"), status("users", "COMPLETE")}, 0, "2"},
		{"no row comes, and all is well", []string{state("1"), state("2"), status("users", "COMPLETE")}, 0, "2"},
		{"a state follows the end", []string{state("1"), status("users", "COMPLETE"), state("3")}, 0, "3"},
		{"no row comes, and the connector fails", []string{state("1"), state("2")}, 1, ""},
		{"no row comes, and the stream fails", []string{state("1"), status("users", "INCOMPLETE")}, 0, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, "users")
			r.config.Streams[0].Mode = sidecar.ReplaceFirst
			r.start()
			r.say(test.lines...).exit(test.exit).hangUp()
			report := r.end()
			saved := r.journal.States()["users"]
			if saved != test.want {
				t.Errorf("saved %q, want %q (%s: %s)", saved, test.want, report.Status, report.Cause)
			}
		})
	}
}
