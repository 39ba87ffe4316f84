package sidecar_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestEveryMutexSaysWhatItGuards: `make lint` checks annotations (+checklocks), and a mutex that nobody annotated is not checked.
func TestEveryMutexSaysWhatItGuards(t *testing.T) {
	t.Parallel()
	found := 0
	for _, root := range []string{"../cmd", "../runner", "../scripts", "."} {
		err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			for _, name := range mutexes(file) {
				found++
				if !regexp.MustCompile(`(?m)^\s*// \+checklocks:([\w.]+\.)?` + name + `$`).MatchString(packageText(t, filepath.Dir(path))) {
					t.Errorf("%s: no field and no function is annotated with +checklocks:%s", path, name)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if found < 10 {
		t.Errorf("only %d mutexes were found", found)
	}
}

// packageText is the code of a folder.
func packageText(t *testing.T, folder string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for _, file := range files {
		text.WriteString(readText(t, file))
	}
	return text.String()
}

// mutexes are the names of the fields of a file that are mutexes.
func mutexes(file *ast.File) []string {
	var names []string
	ast.Inspect(file, func(node ast.Node) bool {
		structure, ok := node.(*ast.StructType)
		if !ok {
			return true
		}
		for _, field := range structure.Fields.List {
			kind, ok := field.Type.(*ast.SelectorExpr)
			if !ok || !strings.HasSuffix(kind.Sel.Name, "Mutex") {
				continue
			}
			for _, name := range field.Names {
				names = append(names, name.Name)
			}
		}
		return true
	})
	return names
}
