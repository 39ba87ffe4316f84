package chaos

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"time"

	"sync-sidecar/sidecar/bulker/bulkertest"
)

// watch looks again and again while a run lives, whether a state is ahead of its rows or a part of a full refresh shows. What cannot be looked at
// because its server is away is looked at next time, and in any case after the run.
func (l *life) watch(quit <-chan struct{}) error {
	ticker := time.NewTicker(150 * time.Millisecond)
	defer ticker.Stop()
	for next := 0; ; next++ {
		select {
		case <-quit:
			return nil
		case <-ticker.C:
		}
		all := l.streams()
		some := []string{all[next%len(all)], all[(next+1)%len(all)]}
		for _, look := range []func() error{func() error { return l.covered(some) }, l.wholeOnly, func() error { return l.exact(some) }} {
			err, finding := look(), (*wrong)(nil)
			switch {
			case err == nil:
				l.looks++
			case errors.As(err, &finding):
				return err
			}
		}
	}
}

// wrong is a finding, as opposed to a look that failed.
type wrong struct{ text string }

func (w *wrong) Error() string { return w.text }

func wrongf(format string, args ...any) error { return &wrong{fmt.Sprintf(format, args...)} }

// streams are the names of those that are read incrementally.
func (s *scenario) streams() []string {
	names := slices.Sorted(maps.Keys(s.expected))
	return slices.DeleteFunc(names, func(name string) bool { return name == fullRefresh })
}

// covered proves I1 for this moment: every row that a saved state covers is at the destination. The states are read first, so rows that come
// meanwhile cannot hide a state that was early.
func (s *scenario) covered(streams []string) error {
	cursors, err := s.cursors()
	if err != nil {
		return err
	}
	for _, stream := range streams {
		done := min(cursors[stream], len(s.expected[stream]))
		if done == 0 {
			continue
		}
		rows, err := s.durableRows(stream)
		if err != nil {
			return err
		}
		held := s.newest(stream, rows)
		for id, version := range s.newest(stream, s.expected[stream][:done]) {
			if held[id] < version {
				return wrongf("stream %s: the saved state covers %d rows; of row %s the destination has version %d, not %d",
					stream, done, id, held[id], version)
			}
		}
	}
	return nil
}

var idOf = regexp.MustCompile(`^\{"id":(\d+),`)

// newest is the newest version that is among rows, by what tells rows apart: the id where there is a key, else the row itself. The folder keeps every
// row of a full refresh, servers merge them, too. Versions are
// numbered from 1 in the order of the source; a row that the source does not have, such as half a line, is none.
func (s *scenario) newest(stream string, rows []string) map[string]int {
	if s.versions[stream] == nil {
		s.versions[stream] = map[string]int{}
		for i, row := range s.expected[stream] {
			s.versions[stream][row] = i + 1
		}
	}
	found := map[string]int{}
	merged := s.keyed && (stream != fullRefresh || s.places.bulker() || s.places.tables())
	for _, row := range rows {
		version := s.versions[stream][row]
		if version == 0 {
			continue
		}
		id := row
		if match := idOf.FindStringSubmatch(row); match != nil && merged {
			id = match[1]
		}
		found[id] = max(found[id], version)
	}
	return found
}

// complete proves the promise of the README for the end of a sync: every row, with a key only the last version of it, exactly once; without a
// key at a Bulker at least once.
func (s *scenario) complete() error {
	for stream, expected := range s.expected {
		rows, err := s.rows(stream)
		if err != nil {
			return err
		}
		got, want := s.newest(stream, rows), s.newest(stream, expected)
		if !maps.Equal(got, want) {
			return wrongf("stream %s: %d of %d rows are as they should be", stream, matches(got, want), len(want))
		}
		atLeastOnce := s.places.bulker() && !s.keyed && stream != fullRefresh
		if !atLeastOnce && len(rows) != len(want) {
			return wrongf("stream %s: %d rows, expected %d", stream, len(rows), len(want))
		}
		for _, row := range rows {
			if s.versions[stream][row] == 0 {
				return wrongf("stream %s: a row that the source did not send: %.200s", stream, row)
			}
		}
	}
	return nil
}

func matches(got, want map[string]int) int {
	n := 0
	for id, version := range want {
		if got[id] == version {
			n++
		}
	}
	return n
}

// wholeOnly proves I6: what readers can see of a full refresh is all of it, or what was there before; at Bulker by its record of commits.
func (s *scenario) wholeOnly() error {
	want := len(s.expected[fullRefresh])
	if !s.places.bulker() {
		rows, err := s.rows(fullRefresh)
		if err == nil && len(rows) != 0 && len(s.newest(fullRefresh, rows)) != len(s.newest(fullRefresh, s.expected[fullRefresh])) {
			err = wrongf("%s shows %d rows of %s", s.places, len(rows), fullRefresh)
		}
		return err
	}
	commits, err := s.bulker.commits()
	if err != nil {
		return err
	}
	for _, commit := range commits {
		if commit.Table == fullRefresh && (commit.Mode != bulkertest.ModeReplaceTable || commit.Rows != int64(want)) {
			return wrongf("commit %d showed %d of %d rows of %s (mode %s)", commit.Sequence, commit.Rows, want, fullRefresh, commit.Mode)
		}
	}
	return nil
}
