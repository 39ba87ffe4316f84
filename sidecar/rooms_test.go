package sidecar_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestEveryRoomHasWalls: each package of the product has a depguard rule of its own, so that a new one begins with a decision on what it may import, and
// docs/ARCHITECTURE.md says what it is for.
func TestEveryRoomHasWalls(t *testing.T) {
	t.Parallel()
	rules, err := os.ReadFile("../.golangci.yml")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("../docs/ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, root := range []string{"sidecar", "runner"} {
		for room := range rooms(t, root) {
			forTests := strings.HasSuffix(room, "test") || room == "sidecar/chaos"
			if !forTests && !strings.Contains(string(rules), `"**/`+room+`/*.go"`) && !strings.Contains(string(rules), `"**/`+room+`/**"`) {
				t.Errorf("no depguard rule in .golangci.yml is for %s", room)
			}
			if !regexp.MustCompile("`" + regexp.QuoteMeta(room) + "/?`").Match(text) {
				t.Errorf("docs/ARCHITECTURE.md does not say what `%s` is for", room)
			}
		}
	}
}

// rooms are the folders below root that hold Go code which is no test.
func rooms(t *testing.T, root string) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	err := filepath.WalkDir(filepath.Join("..", root), func(path string, entry fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") {
			found[filepath.ToSlash(filepath.Dir(strings.TrimPrefix(path, ".."+string(filepath.Separator))))] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
