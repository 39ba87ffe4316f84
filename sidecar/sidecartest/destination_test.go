package sidecartest_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/sidecartest"
)

// memoryDestination is a fixture of the double; change alters it.
func memoryDestination(change func(*sidecartest.Destination)) func(testing.TB) sidecartest.DestinationFixture {
	return func(testing.TB) sidecartest.DestinationFixture {
		var breaks, loses atomic.Int32
		destination := &sidecartest.Destination{
			OnLoad: func(_ context.Context, _ sidecar.Load, _ int, rows io.Reader) error {
				if breaks.Swap(0) == 0 {
					return nil
				}
				if _, err := io.CopyN(io.Discard, rows, 100); err != nil {
					return err
				}
				return &sidecar.LoadError{Message: "a moment of weakness"}
			},
			OnCommit: func(sidecar.Load) error {
				if loses.Swap(0) == 0 {
					return nil
				}
				return &sidecar.LoadError{Unknown: true, Message: "no answer"}
			},
		}
		if change != nil {
			change(destination)
		}
		f := sidecartest.DestinationFixture{
			Open: func() (sidecar.Destination, func()) { return destination, func() {} },
			Rows: func(stream sidecar.StreamConfig) ([]string, error) {
				rows, _ := destination.Rows(stream.Table)
				return rows, nil
			},
			Break:      func() { breaks.Store(1) },
			LoseAnswer: func() { loses.Store(1) },
		}
		if destination.MergeByKey {
			f.Merges = sidecartest.MergesAtLoad
		}
		return f
	}
}

func TestDestination(t *testing.T) {
	t.Parallel()
	sidecartest.VerifyDestination(t, memoryDestination(nil))
}

func TestDestinationThatCanOtherThings(t *testing.T) {
	t.Parallel()
	sidecartest.VerifyDestination(t, memoryDestination(func(d *sidecartest.Destination) {
		d.Can, d.MergeByKey = sidecar.Capabilities{RowBytes: 64 << 10, LastWins: true, ReplaceEmpty: true}, true
	}))
}

var errTest = errors.New("test")

// linesOf are the lines of a file; none when it is not there.
func linesOf(path string) ([]string, error) {
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return slices.Collect(strings.Lines(string(content))), err
}
