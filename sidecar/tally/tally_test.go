package tally

import (
	"strings"
	"testing"

	"sync-sidecar/sidecar/airbyte"
)

// TestStream plays what arrives of one stream: r is a row, a number a STATE that counts so many, n one without a count, x a RECORD and s a STATE that
// cannot be read, ? a damaged line that may have been either. (package session plays the same on real pipes, with what follows from it.)
func TestStream(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		play    string
		lost    bool
		sound   bool
		counted bool
	}{
		"nothing came":                        {"", false, true, false},
		"counts agree":                        {"r r 2 r 1", false, true, true},
		"a row is missing":                    {"r r 3", true, false, false},
		"no counts":                           {"r n r n", false, true, false},
		"a lost state is counted by the next": {"r r s r 1", false, true, false},
		"a lost row":                          {"r x 2", true, false, false},
		"a doubt that a count clears":         {"r ? 1", false, true, true},
		"a doubt that a count confirms":       {"r ? 2", true, false, false},
		"a doubt that nobody clears":          {"r ?", false, false, false},
		"a doubt before a state without one":  {"r ? n r 1", false, false, false},
		"both may be lost, and agree":         {"r r 2 r ? ? 1", true, false, false},
	} {
		s, states := &Stream{}, 0
		for event := range strings.FieldsSeq(c.play) {
			switch event {
			case "r":
				s.Row()
			case "x":
				s.Miss(&airbyte.Defect{Lost: true})
				s.Fear("a row")
			case "s":
				s.Miss(&airbyte.Defect{State: true})
			case "?":
				s.Miss(&airbyte.Defect{Lost: true, State: true})
				s.Fear("a line")
			default:
				count := -1.0
				if event != "n" {
					count = float64(event[0] - '0')
				}
				states++
				if lost := s.State([]byte{byte(states)}, count); lost != "" {
					s.Lose(lost)
				}
			}
		}
		if (s.Lost() != "") != c.lost || s.Sound() != c.sound || s.Counted() != c.counted {
			t.Errorf("%s: lost %q, doubt %q, counted %v", name, s.Lost(), s.Doubt(), s.Counted())
		}
	}
}

func TestGlobal(t *testing.T) {
	t.Parallel()
	g := &Global{}
	g.Row()
	g.Row()
	if arrived, differs := g.State([]byte("1"), 2); differs || arrived != 2 {
		t.Error(arrived, differs)
	}
	if _, differs := g.State([]byte("1"), 2); differs {
		t.Error("a state that comes twice repeats its count")
	}
	if arrived, differs := g.State([]byte("2"), 1); !differs || arrived != 0 {
		t.Error(arrived, differs)
	}
	if _, differs := g.State([]byte("3"), -1); differs {
		t.Error("no count is none")
	}
}
