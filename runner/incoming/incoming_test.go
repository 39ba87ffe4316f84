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

func TestNothingGetsOutOfTheFolder(t *testing.T) {
	parent := t.TempDir()
	dir := filepath.Join(parent, "sync")
	for _, name := range []string{"../escaped", "/escaped", "a/../../escaped", ""} {
		if err := Replace(dir, file(name, "x")); err == nil {
			t.Errorf("%q was accepted", name)
		}
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
