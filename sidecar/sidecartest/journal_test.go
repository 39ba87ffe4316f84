package sidecartest_test

import (
	"testing"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/sidecartest"
)

// memoryJournal is a fixture of the double.
func memoryJournal(testing.TB) sidecartest.JournalFixture {
	journal := sidecartest.NewJournal()
	return sidecartest.JournalFixture{
		Open: func(identity sidecar.Identity) sidecar.Journal { return journal.Reopen(identity) },
		Task: func(identity sidecar.Identity) sidecar.TaskRecord { return journal.Reopen(identity).Task() },
		Result: func(_ sidecar.Identity, command sidecar.Command) sidecar.Result {
			return journal.Result(command)
		},
		Logs:    func(sidecar.Identity) []sidecar.LogRecord { return journal.Logs() },
		Refuses: []byte(`{"a":`),
	}
}

func TestJournal(t *testing.T) {
	t.Parallel()
	sidecartest.VerifyJournal(t, memoryJournal)
}
