package sidecartest_test

import (
	"errors"
	"sync/atomic"
	"testing"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/sidecartest"
)

// memoryCommitter is a fixture of the double.
func memoryCommitter(testing.TB) sidecartest.DestinationFixture {
	var loses atomic.Int32
	committer := sidecartest.NewCommitter()
	committer.Can.ReplaceEmpty = true
	committer.OnCommit = func() error {
		if loses.Swap(0) == 0 {
			return nil
		}
		return &sidecar.LoadError{Unknown: true, Message: "no answer", Cause: errors.New("connection reset")}
	}
	return sidecartest.DestinationFixture{
		Open: func() (sidecar.Destination, func()) { return committer.Again(), func() {} },
		Rows: func(stream sidecar.StreamConfig) ([]string, error) {
			return committer.Rows(stream.Table), nil
		},
		LoseAnswer: func() { loses.Store(1) },
	}
}

func TestCommitter(t *testing.T) {
	t.Parallel()
	sidecartest.VerifyDestination(t, memoryCommitter)
}
