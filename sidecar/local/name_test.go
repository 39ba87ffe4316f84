package local

import (
	"path"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
)

func TestRowsFile(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 300)
	tests := []struct{ namespace, name, want string }{
		{"", "users", "rows/users.ndjson"},
		{"public", "users", "rows/public/users.ndjson"},
		{"", "", "rows/%.ndjson"},
		{"", "%", "rows/%25.ndjson"},
		{"", "..", "rows/%2E..ndjson"},
		{"..", "x", "rows/%2E./x.ndjson"},
		{"", "a/b\\c", "rows/a%2Fb%5Cc.ndjson"},
		{"", "nul\x00 tab\t del\x7f", "rows/nul%00 tab%09 del%7F.ndjson"},
		{"", "größe 表", "rows/größe 表.ndjson"},
		{"", "bad\xff", "rows/bad%FF.ndjson"},
		{"users.ndjson", "x", "rows/users%2Endjson/x.ndjson"}, // the file of stream "users" without a namespace has the name before it
		{"users.ndjson.tmp", "x", "rows/users.ndjson%2Etmp/x.ndjson"},
		{"", long, "rows/" + long[:202] + "%~7c1a70b1387a8c7fbc3cd4d8.ndjson"},
	}
	for _, test := range tests {
		stream := airbyte.StreamDescriptor{Namespace: test.namespace, Name: test.name}
		got := RowsFile(stream)
		if test.name == long {
			if !strings.HasPrefix(got, "rows/"+long[:202]+"%~") || len(path.Base(got)) > 244 {
				t.Errorf("RowsFile of a long name is %q", got)
			}
			continue
		}
		if got != test.want {
			t.Errorf("RowsFile(%+v) = %q, want %q", stream, got, test.want)
		}
		if back, found := StreamOf(got); !found || back != stream {
			t.Errorf("StreamOf(%q) = %+v %v, want %+v", got, back, found, stream)
		}
	}
}

func TestStreamOfForeignFiles(t *testing.T) {
	t.Parallel()
	foreign := []string{
		"", "users.ndjson", "rows/users.csv", "rows/%2.ndjson", "rows/%zz.ndjson", "rows/a/b/c.ndjson", "rows/.x.ndjson", "rows/%~00.ndjson",
	}
	for _, file := range foreign {
		if stream, found := StreamOf(file); found {
			t.Errorf("StreamOf(%q) = %+v, want none", file, stream)
		}
	}
}

func TestDir(t *testing.T) {
	t.Parallel()
	tests := []struct {
		identity sidecar.Identity
		want     string
	}{
		{sidecar.Identity{SyncID: "nightly", Package: "airbyte/source-faker"}, "nightly"},
		{sidecar.Identity{SyncID: "../x"}, "%2E.%2Fx"},
		{sidecar.Identity{Package: "airbyte/source-faker"}, "source-faker"},
		{sidecar.Identity{Package: "registry.example:5000/airbyte/source-faker:7.2.1@sha256:0a"}, "source-faker"},
		{sidecar.Identity{Package: "source-demo"}, "source-demo"},
		{sidecar.Identity{}, "sync"},
	}
	for _, test := range tests {
		if got := Dir("data", test.identity); got != filepath.Join("data", test.want) {
			t.Errorf("Dir(%+v) = %q, want %q", test.identity, got, test.want)
		}
	}
}

func TestOfReads(t *testing.T) {
	t.Parallel()
	names := map[string]bool{"rows": true, "state.json": true, "state.changes.ndjson": true, "task.json": false, "spec.json": false, "": false}
	for name, want := range names {
		if OfReads(name) != want {
			t.Errorf("OfReads(%q) is %v", name, !want)
		}
	}
}

// FuzzRowsFile: any stream has one file, below rows/, whose parts every file system takes, and no other stream has it.
func FuzzRowsFile(f *testing.F) {
	long := []string{strings.Repeat("é", 120), strings.Repeat("%", 90)}
	for _, seed := range append(long, "", "users", "..", "%", "%~", "a/b", "\x00", "\xff", "users.ndjson", "x.tmp") {
		f.Add("", seed)
		f.Add(seed, "x")
	}
	f.Fuzz(func(t *testing.T, namespace, name string) {
		stream := airbyte.StreamDescriptor{Namespace: namespace, Name: name}
		file := RowsFile(stream)
		if path.Clean(file) != file || !strings.HasPrefix(file, "rows/") {
			t.Fatalf("RowsFile(%q, %q) = %q leaves its folder", namespace, name, file)
		}
		parts := strings.Split(file, "/")
		if want := 2 + min(len(namespace), 1); len(parts) != want {
			t.Fatalf("RowsFile(%q, %q) = %q has %d parts", namespace, name, file, len(parts))
		}
		for i, part := range parts[1:] {
			if len(part) > 255-len(".keys.tmp") || part[0] == '.' || !utf8.ValidString(part) || strings.ContainsAny(part, "\x00\\\n") {
				t.Fatalf("RowsFile(%q, %q) = %q has the part %q", namespace, name, file, part)
			}
			if folder := i < len(parts)-2; folder && (strings.HasSuffix(part, rowsSuffix) || strings.HasSuffix(part, tempSuffix)) {
				t.Fatalf("RowsFile(%q, %q) = %q has a folder that may be a file", namespace, name, file)
			}
		}
		back, found := StreamOf(file)
		if cut := strings.Contains(file, "%~"); found && back != stream || !found && !cut {
			t.Fatalf("StreamOf(%q) = %+v %v, want %+v", file, back, found, stream)
		}
	})
}
