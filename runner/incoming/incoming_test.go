package incoming

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var someTime = time.Date(2026, 1, 2, 3, 4, 5, 678, time.UTC)

// content reads a tree, by slash-separated path.
func content(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(name)
		relative, relErr := filepath.Rel(dir, name)
		if relErr != nil {
			return relErr
		}
		found[filepath.ToSlash(relative)] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func file(name, text string) File {
	return File{Name: name, Mode: 0o600, Modified: someTime, Content: strings.NewReader(text)}
}

func add(t *testing.T, batch *Batch, name, text string) {
	t.Helper()
	if err := batch.Add(file(name, text)); err != nil {
		t.Fatal(err)
	}
}

func expect(t *testing.T, dir string, want map[string]string) {
	t.Helper()
	got := content(t, dir)
	for name, text := range want {
		if got[name] != text {
			t.Errorf("%s holds %q, want %q", name, got[name], text)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d files %v, want %d", len(got), got, len(want))
	}
}

func TestCommitReplacesAndKeeps(t *testing.T) {
	parent := t.TempDir()
	dir := filepath.Join(parent, "sync")
	write(t, filepath.Join(dir, "state.json"), "old")
	write(t, filepath.Join(dir, "mine.txt"), "mine")
	batch, err := Begin(dir)
	if err != nil {
		t.Fatal(err)
	}
	add(t, batch, "rows/shop/users.ndjson", "rows")
	add(t, batch, "state.json", "new")
	expect(t, dir, map[string]string{"state.json": "old", "mine.txt": "mine"})
	if err := batch.Commit(); err != nil {
		t.Fatal(err)
	}
	expect(t, parent, map[string]string{"sync/state.json": "new", "sync/mine.txt": "mine", "sync/rows/shop/users.ndjson": "rows"})
	info, err := os.Stat(filepath.Join(dir, "state.json"))
	if err != nil || !info.ModTime().Equal(someTime) || info.Mode() != 0o600 {
		t.Errorf("%v %v, %v", info.ModTime(), info.Mode(), err)
	}
	if err := batch.Abort(); err != nil {
		t.Error(err)
	}
}

func TestAbortLeavesNothing(t *testing.T) {
	parent := t.TempDir()
	dir := filepath.Join(parent, "sync")
	write(t, filepath.Join(dir, "state.json"), "old")
	batch, err := Begin(dir)
	if err != nil {
		t.Fatal(err)
	}
	add(t, batch, "state.json", "new")
	if err := batch.Abort(); err != nil {
		t.Fatal(err)
	}
	expect(t, parent, map[string]string{"sync/state.json": "old"})
}

func TestCrashWhileWritingLeavesTheFolderAsItWas(t *testing.T) {
	parent := t.TempDir()
	dir := filepath.Join(parent, "sync")
	write(t, filepath.Join(dir, "state.json"), "old")
	batch, err := Begin(dir)
	if err != nil {
		t.Fatal(err)
	}
	add(t, batch, "state.json", "new")
	if err := Recover(dir); err != nil { // the next run
		t.Fatal(err)
	}
	expect(t, parent, map[string]string{"sync/state.json": "old"})
}

// A crash at any rename of Commit: some files are in place already, the others are moved in by the next run.
func TestCrashWhileMovingIsFinished(t *testing.T) {
	for moved := range 4 {
		parent := t.TempDir()
		dir := filepath.Join(parent, "sync")
		write(t, filepath.Join(dir, "rows/a.ndjson"), "old")
		batch, err := Begin(dir)
		if err != nil {
			t.Fatal(err)
		}
		names := []string{"rows/a.ndjson", "rows/b.ndjson", "state.json"}
		for _, name := range names {
			add(t, batch, name, "new")
		}
		if err := os.Rename(dir+partSuffix, dir+completeSuffix); err != nil {
			t.Fatal(err)
		}
		for _, name := range names[:moved] {
			if err := os.Rename(filepath.Join(dir+completeSuffix, name), filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
		}
		if err := Recover(dir); err != nil {
			t.Fatal(err)
		}
		expect(t, parent, map[string]string{"sync/rows/a.ndjson": "new", "sync/rows/b.ndjson": "new", "sync/state.json": "new"})
	}
}

func TestNothingGetsOutOfTheFolder(t *testing.T) {
	parent := t.TempDir()
	dir := filepath.Join(parent, "sync")
	batch, err := Begin(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"../escaped", "/escaped", "a/../../escaped", ""} {
		if err := batch.Add(file(name, "x")); err == nil {
			t.Errorf("%q was accepted", name)
		}
		if err := Replace(dir, file(name, "x")); err == nil {
			t.Errorf("%q was accepted", name)
		}
	}
	if err := batch.Abort(); err != nil {
		t.Fatal(err)
	}
	expect(t, parent, nil)
}

func TestReplace(t *testing.T) {
	parent := t.TempDir()
	dir := filepath.Join(parent, "sync")
	write(t, filepath.Join(dir, "spec.json"), "old")
	if err := Replace(dir, file("spec.json", "new")); err != nil {
		t.Fatal(err)
	}
	expect(t, parent, map[string]string{"sync/spec.json": "new"})
}

func TestClaimIsExclusiveAndNamesItsHolder(t *testing.T) {
	parent := t.TempDir()
	first, err := ClaimFolder(t.Context(), parent, "sync", "task-1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ClaimFolder(t.Context(), parent, "sync", "task-2"); err == nil || !strings.Contains(err.Error(), "task-1") {
		t.Errorf("the second claim: %v", err)
	}
	if err := first.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	second, err := ClaimFolder(t.Context(), parent, "sync", "task-2")
	if err != nil {
		t.Fatal(err)
	}
	if err := second.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestClaimFinishesWhatACrashInterrupted(t *testing.T) {
	parent := t.TempDir()
	write(t, filepath.Join(parent, "sync"+completeSuffix, "log.txt"), "arrived")
	claim, err := ClaimFolder(t.Context(), parent, "sync", "task-1")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := claim.Release(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	if got := content(t, filepath.Join(parent, "sync"))["log.txt"]; got != "arrived" {
		t.Errorf("log.txt holds %q", got)
	}
}
