package sidecar_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestEveryRoomHasWalls: each package of the product has a depguard rule of its own, so that a new one begins with a decision on what it may import,
// and docs/ARCHITECTURE.md says what it is for.
func TestEveryRoomHasWalls(t *testing.T) {
	t.Parallel()
	rules, text := readText(t, "../.golangci.yml"), readText(t, "../docs/ARCHITECTURE.md")
	for _, root := range []string{"sidecar", "runner"} {
		for room := range rooms(t, root) {
			if !strings.Contains(rules, `"${base-path}/`+room+`/*.go"`) {
				t.Errorf("no depguard rule in .golangci.yml is for %s", room)
			}
			if !regexp.MustCompile("`" + regexp.QuoteMeta(room) + "/?`").MatchString(text) {
				t.Errorf("docs/ARCHITECTURE.md does not say what `%s` is for", room)
			}
		}
	}
}

// TestWallsHaveNoHoles: a strict list of depguard's that lacks one of these entries lets packages of this module in, or keeps sync/atomic out
// (.golangci.yml says why).
func TestWallsHaveNoHoles(t *testing.T) {
	t.Parallel()
	lists := regexp.MustCompile(`(?m)^ +allow: .*`).FindAllString(readText(t, "../.golangci.yml"), -1)
	if len(lists) == 0 {
		t.Fatal("no list in .golangci.yml says what a room may import")
	}
	for _, list := range lists {
		if !strings.Contains(list, "allow: [$gostd, sync$, sync/atomic$") {
			t.Errorf("does not begin with $gostd, sync$, sync/atomic$:%s", list)
		}
		for _, own := range regexp.MustCompile(`sync-sidecar/[^,\]]*`).FindAllString(list, -1) {
			if !strings.HasSuffix(own, "$") {
				t.Errorf("%q allows every package whose path begins so: end it with $", own)
			}
		}
	}
}

// TestEveryRoomImportsWhatTheMapSays: the table of docs/ARCHITECTURE.md names the rooms that each room imports, and all of them stand above it.
func TestEveryRoomImportsWhatTheMapSays(t *testing.T) {
	t.Parallel()
	quoted := regexp.MustCompile("`([a-z/]+)`")
	above := map[string]bool{}
	for _, row := range regexp.MustCompile("(?m)^\\| ((?:`(?:sidecar|runner)[a-z/]*`(?:, )?)+) \\| .* \\| (.*) \\|$").
		FindAllStringSubmatch(readText(t, "../docs/ARCHITECTURE.md"), -1) {
		var said []string
		for _, name := range quoted.FindAllStringSubmatch(row[2], -1) {
			room := name[1]
			if _, err := os.Stat(filepath.Join("..", room)); err != nil {
				room = "sidecar/" + room
			}
			said = append(said, room)
			if !above[room] {
				t.Errorf("%s imports %s, which does not stand above it", row[1], room)
			}
		}
		slices.Sort(said)
		for _, room := range quoted.FindAllStringSubmatch(row[1], -1) {
			if imported := imports(t, room[1]); !slices.Equal(said, imported) {
				t.Errorf("%s imports %v; docs/ARCHITECTURE.md says %v", room[1], imported, said)
			}
			above[room[1]] = true
		}
	}
	if !above["sidecar"] || !above["runner"] {
		t.Error("docs/ARCHITECTURE.md has no table of the rooms")
	}
}

// imports are the rooms that a room's code, without its tests, imports: sorted, each once.
func imports(t *testing.T, room string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", room, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range file.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			if own, is := strings.CutPrefix(imported, "sync-sidecar/"); is {
				all = append(all, own)
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func readText(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// rooms are the folders below root that hold Go code which is no test.
func rooms(t *testing.T, root string) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	err := filepath.WalkDir(filepath.Join("..", root), func(path string, _ fs.DirEntry, err error) error {
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
