package parcel

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// tree makes a folder of files by path.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, time.Time{}, time.Date(2026, 1, 2, 3, 4, 5, 678, time.UTC)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func read(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		found[name] = string(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestFolderArrivesAsItWas(t *testing.T) {
	t.Parallel()
	files := map[string]string{"state.json": "{}", "rows/a/orders.ndjson": "{\"id\":1}\n", "rows/empty.ndjson": "", "end": "of that name", "lock": "x"}
	source, target := tree(t, files), filepath.Join(t.TempDir(), "new")
	if err := os.Symlink("state.json", filepath.Join(source, "link")); err != nil {
		t.Fatal(err)
	}
	var stream bytes.Buffer
	if err := Write(&stream, source, func(name string) bool { return name != "lock" }); err != nil {
		t.Fatal(err)
	}
	stream.WriteString("what comes after is not read")
	if err := Unpack(&stream, target); err != nil {
		t.Fatal(err)
	}
	got := read(t, target)
	delete(files, "lock")
	if len(got) != len(files) {
		t.Errorf("%d files, want %d: %v", len(got), len(files), got)
	}
	for name, content := range files {
		if got[name] != content {
			t.Errorf("%s holds %q, want %q", name, got[name], content)
		}
		info, err := os.Stat(filepath.Join(target, name))
		if err != nil || info.Mode() != 0o600 || info.ModTime().Nanosecond() != 678 {
			t.Errorf("%s: %v %v", name, info, err)
		}
	}
}

func TestNoFolderIsAnEmptyOne(t *testing.T) {
	t.Parallel()
	var stream bytes.Buffer
	if err := Write(&stream, filepath.Join(t.TempDir(), "missing"), nil); err != nil {
		t.Fatal(err)
	}
	if err := Unpack(&stream, t.TempDir()); err != nil {
		t.Error(err)
	}
}

// Wherever a connection breaks, between two files, too: what is there is not taken for all.
func TestCutStreamIsAnError(t *testing.T) {
	t.Parallel()
	source := tree(t, map[string]string{"a": "1", "b": "2", "c": "3"})
	var stream bytes.Buffer
	if err := Write(&stream, source, nil); err != nil {
		t.Fatal(err)
	}
	end := bytes.LastIndex(stream.Bytes(), []byte(endMark))
	const block = 512
	for cut := 0; cut <= end; cut += block {
		err := Read(bytes.NewReader(stream.Bytes()[:cut]), func(file File) error {
			_, err := io.Copy(io.Discard, file.Content)
			return err
		})
		if !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("cut after %d of %d bytes: %v", cut, stream.Len(), err)
		}
	}
}

func TestNothingLeadsOutOfTheFolder(t *testing.T) {
	t.Parallel()
	source := tree(t, map[string]string{"aa/escaped": "x"})
	var stream bytes.Buffer
	if err := Write(&stream, source, nil); err != nil {
		t.Fatal(err)
	}
	// The checksum stays right: two letters become two dots, and two others make up for them.
	const difference = 2 * ('a' - '.')
	evil := bytes.Replace(stream.Bytes(), []byte("aa/escaped"), []byte{'.', '.', '/', 'e', 's', 'c', 'a', 'p', 'e', 'd' + difference}, 1)
	dir := t.TempDir()
	if err := Unpack(bytes.NewReader(evil), filepath.Join(dir, "in")); err == nil || !strings.Contains(err.Error(), "leads out of") {
		t.Errorf("got %v", err)
	}
	if got := read(t, dir); len(got) > 0 {
		t.Errorf("written: %v", got)
	}
}
