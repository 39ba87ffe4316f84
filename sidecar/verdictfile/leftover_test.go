package verdictfile

import (
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"sync-sidecar/sidecar"
)

// A native sidecar begins before exec: what it says then is no leftover, whether or not init prepared for it.
func TestSidecarBeginsFirst(t *testing.T) {
	t.Parallel()
	path := newFile(t)
	writer, _ := take(t, path)
	if err := writer.Begin(sidecar.CommandRead); err != nil {
		t.Fatal(err)
	}
	notes, errs := await(t, path, 0)
	if err := writer.Conclude(failed()); err != nil {
		t.Fatal(err)
	}
	want(t, notes, errs, sidecar.StatusFailed, 1)
}

// A later step of init leaves what an earlier one prepared, and removes what an earlier run left.
func TestRemove(t *testing.T) {
	t.Parallel()
	path := newFile(t)
	if err := errors.Join(Remove(path), Prepare(path), Remove(path)); err != nil {
		t.Fatal(err)
	}
	if note, found, err := Read(path); err != nil || !found || !note.Prepared() {
		t.Errorf("%+v, %t, %v", note, found, err)
	}
	writer, _ := take(t, path)
	if err := errors.Join(writer.Conclude(failed()), Remove(path)); err != nil {
		t.Fatal(err)
	}
	if _, found, err := Read(path); err != nil || found {
		t.Errorf("%t, %v", found, err)
	}
}

// A connector may write into the shared volume: what is no verdict is none, and nothing blocks.
func TestHostileVerdictFile(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(path string) error{
		"no JSON":  func(path string) error { return os.WriteFile(path, []byte("{"), 0o600) },
		"a pipe":   func(path string) error { return syscall.Mkfifo(path, 0o600) },
		"a folder": func(path string) error { return os.Mkdir(path, 0o700) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := newFile(t)
			if err := spoil(path); err != nil {
				t.Fatal(err)
			}
			_, errs := await(t, path, time.Second)
			if err := <-errs; !errors.Is(err, ErrSilent) || !strings.Contains(err.Error(), path) {
				t.Errorf("%v, want one that names the file", err)
			}
			if _, earlier := take(t, path); earlier.Final() || earlier.Prepared() {
				t.Errorf("found %+v", earlier)
			}
		})
	}
}
