package sidecar

import (
	"errors"
	"fmt"
	"testing"
)

// Only an append without a key whose answer was lost can bring rows twice, and the log line says so.
func TestDoubling(t *testing.T) {
	t.Parallel()
	keyed, keyless := Table{Name: "users", PrimaryKey: []string{"id"}}, Table{Name: "users"}
	lost := fmt.Errorf("load: %w", &LoadError{Unknown: true, Message: "no answer"})
	for _, test := range []struct {
		table Table
		mode  LoadMode
		err   error
		said  bool
	}{
		{keyless, LoadAppend, lost, true},
		{keyed, LoadAppend, lost, false},
		{keyless, LoadReplace, lost, false},
		{keyless, LoadAppend, &LoadError{Message: "refused"}, false},
		{keyless, LoadAppend, errors.New("disk full"), false},
	} {
		if said := doubling(test.table, test.mode, test.err) != ""; said != test.said {
			t.Errorf("%v of %v after %v: said %v", test.mode, test.table, test.err, said)
		}
	}
}
