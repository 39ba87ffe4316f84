package session

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"sync-sidecar/sidecar"
)

// numbered is a row that can be told from others.
func numbered(stream string, n int) string {
	return fmt.Sprintf(`{"type":"RECORD","record":{"stream":"%s","data":{"id":%d},"emitted_at":1}}`, stream, n)
}

func stateOf(stream string, n int) string {
	return fmt.Sprintf(`{"type":"STATE","state":{"type":"STREAM","stream":{"stream_descriptor":{"name":"%s"},"stream_state":{"n":%d}}}}`, stream, n)
}

// TestStreamLimit reads at most three rows of each stream. The words: a stream and a number are a row, a ! after it a state that says so, a $ its
// COMPLETE, a - its INCOMPLETE, G a GLOBAL state. The connector goes on running, unless it ends by itself (.) or badly (x).
func TestStreamLimit(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, modes, says string // modes: i is incremental, f a full refresh, of streams a and b
		round             int
		status            sidecar.Status
		rows              string // of each table
		states            string
		streams           string // status, and unfinished!
	}{
		{"fewer rows than that", "ff", "a1 a2 a$ b1 b$ .", 0, sidecar.StatusSuccess, "2 1", "", "SUCCESS SUCCESS"},
		{"just so many", "fi", "a1 a2 a3 a$ b1 b2 b3 b3! b$ .", 0, sidecar.StatusSuccess, "3 3", "b:3", "SUCCESS SUCCESS"},
		{"more: the rest is left out, the connector not waited for", "ff", "a1 a2 a3 a4 a5 b1 b2 b3 b4", 0, sidecar.StatusSuccess, "3 3", "",
			"SUCCESS SUCCESS"},
		{"no state is ahead of its rows", "ii", "a1 a2 a2! a3 a4 a4! b1 b2 b3 b3! b4", 0, sidecar.StatusSuccess, "3 3", "a:2 b:3", "SUCCESS SUCCESS"},
		{"the state of the last row counts", "ii", "a1 a2 a3 a3! a4 a4! b1 b$", 0, sidecar.StatusSuccess, "3 1", "a:3", "SUCCESS SUCCESS"},
		{"no state at all", "ii", "a1 a2 a3 a4 a4! b1 b1! b$", 0, sidecar.StatusSuccess, "3 1", "b:1", "SUCCESS! SUCCESS"},
		{"complete after it was cut", "ii", "a1 a2 a3 a4 a4! a$ b1 b1! b$ .", 0, sidecar.StatusSuccess, "3 1", "b:1", "SUCCESS! SUCCESS"},
		{"a state of all streams is not ahead of a stream that is cut", "ii", "a1 a2 G1 a3 a4 G2 b1 G3 b$", 0, sidecar.StatusSuccess, "3 1", "GLOBAL:1",
			"SUCCESS SUCCESS"},
		{"one that starts over does not hold it back", "fi", "a1 a2 a3 a4 b1 G1 b$", 0, sidecar.StatusSuccess, "3 1", "GLOBAL:1", "SUCCESS SUCCESS"},
		{"the connector fails meanwhile", "fi", "a1 a2 a3 a4 b1 x", 0, sidecar.StatusPartial, "3 1", "", "SUCCESS PARTIAL"},
		{"another stream fails", "ff", "a1 a2 a3 a4 b1 b-", 0, sidecar.StatusPartial, "3 -1", "", "SUCCESS FAILED"},
		{"a connector that says no statuses", "ff", "a1 a2 a3 a4 b1 .", 0, sidecar.StatusSuccess, "3 1", "", "SUCCESS SUCCESS"},
		{"one after the other, all of it", "ff", "a1…1100 b1 b$", 0, sidecar.StatusSuccess, "3 1", "", "SUCCESS SUCCESS"},
		{"in rounds, what was read already is left out", "fi", "a1…1010 b1 b2 b2!", 1, sidecar.StatusSuccess, "3 -1", "", "SUCCESS PENDING!"},
		{"one after the other, in rounds", "fi", "a1…1100", 1, sidecar.StatusSuccess, "3 -1", "", "SUCCESS PENDING!"},
		{"a later round saves no state of all streams", "fi", "b1 G1 b2 b3 b4 a1 a$", 2, sidecar.StatusSuccess, "1 3", "", "SUCCESS SUCCESS!"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, "a", "b")
			r.config.StreamLimit, r.config.StreamLimitRound = 3, test.round
			for i, mode := range test.modes {
				if mode == 'i' {
					r.config.Streams[i].Mode, r.config.Streams[i].Incremental = sidecar.ReplaceFirst, true
				}
			}
			r.start()
			said := func() { r.play(test.says) }
			done := make(chan struct{})
			go func() { defer close(done); said() }()
			report := r.end()
			<-done
			if report.Status != test.status {
				t.Errorf("%s: %s", report.Status, report.Cause)
			}
			if rows := fmt.Sprint(r.table("a"), r.table("b")); rows != test.rows {
				t.Errorf("tables have %s rows, want %s", rows, test.rows)
			}
			var streams []string
			for _, stream := range report.Streams {
				text := string(stream.Status)
				if stream.Unfinished {
					text += "!"
				}
				more := strings.Contains(test.says, stream.Stream+"4") || strings.Contains(test.says, stream.Stream+"1…")
				if stream.Limited != more {
					t.Errorf("%s has more rows: %t, want %t", stream.Stream, stream.Limited, more)
				}
				streams = append(streams, text)
			}
			if got := strings.Join(streams, " "); got != test.streams {
				t.Errorf("streams are %s, want %s", got, test.streams)
			}
			if got := r.savedText(); got != test.states {
				t.Errorf("states %q, want %q", got, test.states)
			}
		})
	}
}

// play says the words of TestStreamLimit. What nobody listens to any more is not said.
func (r *rig) play(words string) {
	var lines []string
	for word := range strings.FieldsSeq(words) {
		stream, n := word[:1], 0
		switch {
		case word == ".":
			r.write(lines)
			r.exit(0).hangUp()
			return
		case word == "x":
			r.write(lines)
			r.exit(1).hangUp()
			return
		case stream == "G":
			lines = append(lines, `{"type":"STATE","state":{"type":"GLOBAL","global":{"stream_states":[],"shared_state":{"n":`+word[1:]+`}}}}`)
		case strings.HasSuffix(word, "$"):
			lines = append(lines, status(stream, "COMPLETE"))
		case strings.HasSuffix(word, "-"):
			lines = append(lines, status(stream, "INCOMPLETE"))
		case strings.Contains(word, "…"):
			last := 0
			fmt.Sscanf(word, stream+"%d…%d", &n, &last)
			for ; n <= last; n++ {
				lines = append(lines, numbered(stream, n))
			}
		default:
			fmt.Sscanf(word[1:], "%d", &n)
			if strings.HasSuffix(word, "!") {
				lines = append(lines, stateOf(stream, n))
			} else {
				lines = append(lines, numbered(stream, n))
			}
		}
	}
	r.write(lines)
}

// write says lines, as long as somebody listens.
func (r *rig) write(lines []string) {
	_, _ = r.stdout.WriteString(strings.Join(lines, "\n") + "\n") // a broken pipe is what an unwanted row meets
}

// savedText is the saved states, as key:n.
func (r *rig) savedText() string {
	var texts []string
	for key, state := range r.journal.States() {
		n := 0
		if at := strings.Index(state, `"n":`); at >= 0 {
			fmt.Sscanf(state[at+4:], "%d", &n)
		}
		texts = append(texts, fmt.Sprintf("%s:%d", strings.TrimSuffix(strings.TrimPrefix(key, "_"), "_STATE"), n))
	}
	slices.Sort(texts)
	return strings.Join(texts, " ")
}
