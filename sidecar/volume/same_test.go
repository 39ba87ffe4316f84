package volume

import (
	"os"
	"path/filepath"
	"testing"
)

func TestSame(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, other, link := filepath.Join(dir, "a"), filepath.Join(dir, "b"), filepath.Join(dir, "c")
	for _, path := range []string{file, other} {
		if err := os.WriteFile(path, []byte("the same"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Link(file, link); err != nil {
		t.Fatal(err)
	}
	identity, err := Identity(file)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]bool{file: true, link: true, other: false, dir: false, filepath.Join(dir, "none"): false} {
		if Same(path, identity) != want {
			t.Errorf("%s is the same: %t, want %t", path, !want, want)
		}
	}
	if err := os.WriteFile(file, []byte("another"), 0o600); err != nil {
		t.Fatal(err)
	}
	if Same(file, identity) {
		t.Error("a file that was changed is the same")
	}
	if _, err := Identity(filepath.Join(dir, "none")); err == nil {
		t.Error("a file that is not there has an identity")
	}
}
