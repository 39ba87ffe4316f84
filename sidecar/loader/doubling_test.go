package loader

import (
	"errors"
	"fmt"
	"testing"

	"sync-sidecar/sidecar"
)

// Only an append without a key whose answer was lost can bring rows twice, and the log line says so.
func TestDoubling(t *testing.T) {
	t.Parallel()
	keyed, keyless := sidecar.Table{Name: "users", PrimaryKey: [][]string{{"id"}}}, sidecar.Table{Name: "users"}
	lost := fmt.Errorf("load: %w", &sidecar.LoadError{Unknown: true, Message: "no answer"})
	for _, test := range []struct {
		table sidecar.Table
		mode  sidecar.Mode
		err   error
		said  bool
	}{
		{keyless, sidecar.Append, lost, true},
		{keyed, sidecar.Append, lost, false},
		{keyless, sidecar.ReplaceWhole, lost, false},
		{keyless, sidecar.Append, &sidecar.LoadError{Message: "refused"}, false},
		{keyless, sidecar.Append, errors.New("disk full"), false},
	} {
		if said := doubling(test.table, test.mode, test.err) != ""; said != test.said {
			t.Errorf("%v of %v after %v: said %v", test.mode, test.table, test.err, said)
		}
	}
}
