package loader

import (
	"io"
	"strings"
	"testing"
	"testing/synctest"

	"sync-sidecar/sidecar"
)

// TestNewestRowOfAKeyComesLast: where the last row of a key wins, an older version that the connector sends later must not.
func TestNewestRowOfAKeyComesLast(t *testing.T) {
	keyed := sidecar.Table{PrimaryKey: [][]string{{"id"}}, Cursor: []string{"at"}}
	late := []string{`{"id":1,"at":5}`, `{"id":2,"at":4}`, `{"id":1,"at":3}`, `{"id":1,"at":4}`}
	const asSent = `{"id":1,"at":5}` + "\n" + `{"id":2,"at":4}` + "\n" + `{"id":1,"at":3}` + "\n" + `{"id":1,"at":4}` + "\n"
	const ordered = `{"id":1,"at":3}` + "\n" + `{"id":2,"at":4}` + "\n" + `{"id":1,"at":4}` + "\n" + `{"id":1,"at":5}` + "\n"
	for name, c := range map[string]struct {
		stream   sidecar.StreamConfig
		lastWins bool
		want     string
	}{
		"key and cursor":        {sidecar.StreamConfig{Table: keyed}, true, ordered},
		"first load":            {sidecar.StreamConfig{Table: keyed, Mode: sidecar.ReplaceFirst}, true, ordered},
		"no key":                {sidecar.StreamConfig{Table: sidecar.Table{Cursor: keyed.Cursor}}, true, asSent},
		"no cursor":             {sidecar.StreamConfig{Table: sidecar.Table{PrimaryKey: keyed.PrimaryKey}}, true, asSent},
		"nothing is merged":     {sidecar.StreamConfig{Table: keyed}, false, asSent},
		"sent while it is read": {sidecar.StreamConfig{Table: keyed, Mode: sidecar.ReplaceWhole}, true, asSent},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage(t, func(*Config) {}, c.stream)
				s.relaunch(sidecar.Capabilities{LastWins: c.lastWins})
				var got string
				s.answer = func(_ sidecar.Load, attempt int, rows io.Reader) error {
					text, err := io.ReadAll(rows)
					if attempt == 1 && err == nil {
						return &sidecar.LoadError{Message: "again"}
					}
					got = string(text)
					return err
				}
				for _, row := range late {
					s.row(0, row)
				}
				s.finish()
				if got != c.want || s.failure(0) != nil {
					t.Errorf("sent\n%swant\n%s%v", got, c.want, s.failure(0))
				}
			})
		})
	}
}

// TestDatesOfNoCalendar: a value that is no time among times does not count as newer, nor as older: such batches are sent as they came.
func TestDatesOfNoCalendar(t *testing.T) {
	const newer, older = `{"id":1,"at":"2024-01-01"}`, `{"id":1,"at":"2023-01-01"}`
	for _, value := range []string{`"0001-01-01T00:00:00Z"`, `"-infinity"`, `"0000-00-00 00:00:00"`, `7`} {
		odd := `{"id":1,"at":` + value + `}`
		expectAsSent(t, odd, newer, older)
		expectAsSent(t, newer, odd, older)
		expectAsSent(t, newer, older, odd)
	}
}

// expectAsSent hands over rows and expects them in one load, in the same order.
func expectAsSent(t *testing.T, rows ...string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, func(*Config) {}, sidecar.StreamConfig{Table: sidecar.Table{PrimaryKey: [][]string{{"id"}}, Cursor: []string{"at"}}})
		s.relaunch(sidecar.Capabilities{LastWins: true})
		var got string
		s.answer = func(_ sidecar.Load, _ int, rows io.Reader) error {
			text, err := io.ReadAll(rows)
			got = string(text)
			return err
		}
		for _, row := range rows {
			s.row(0, row)
		}
		s.finish()
		if want := strings.Join(rows, "\n") + "\n"; got != want {
			t.Errorf("sent\n%swant\n%s", got, want)
		}
	})
}
