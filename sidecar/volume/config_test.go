package volume_test

import (
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"sync-sidecar/sidecar/volume"
)

func packed(t *testing.T, text string) string {
	t.Helper()
	var out bytes.Buffer
	writer := gzip.NewWriter(&out)
	if _, err := writer.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func link(t *testing.T, target, path string) {
	t.Helper()
	if err := os.Symlink(target, path); err != nil {
		t.Fatal(err)
	}
}

// mounted is a folder as the kubelet mounts a Secret: a folder by time, a link `..data` to it, and a link for each visible file or folder
// (pkg/volume/util/atomic_writer.go of Kubernetes).
func mounted(t *testing.T, files map[string]string) string {
	t.Helper()
	folder := t.TempDir()
	const version = "..2024_01_01_00_00_00.123456789"
	for name, text := range files {
		path := filepath.Join(folder, version, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		put(t, path, text)
	}
	link(t, version, filepath.Join(folder, "..data"))
	entries, err := os.ReadDir(filepath.Join(folder, version))
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		link(t, filepath.Join("..data", entry.Name()), filepath.Join(folder, entry.Name()))
	}
	return folder
}

// tree is every file below a folder, with its text; links are not followed, so a link shows as one.
func tree(t *testing.T, folder string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(folder, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(folder, path)
		if err != nil {
			return err
		}
		if entry.Type() != 0 {
			found[name] = entry.Type().String()
			return nil
		}
		text, err := os.ReadFile(path)
		found[name] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestCopyConfigOfAKubernetesSecret(t *testing.T) {
	from := mounted(t, map[string]string{"config.json": `{"a":1}`, "catalog.json.gz": packed(t, `{"streams":[]}`), "keys/tls.pem": "pem"})
	to := filepath.Join(t.TempDir(), "config")
	for range 2 { // a restarted init does it again
		if err := volume.CopyConfig(from, to, 0); err != nil {
			t.Fatal(err)
		}
	}
	got := tree(t, to)
	want := map[string]string{"config.json": `{"a":1}`, "catalog.json": `{"streams":[]}`, "keys/tls.pem": "pem"}
	if len(got) != len(want) {
		t.Errorf("copied %q, want %q", got, want)
	}
	for name, text := range want {
		if got[name] != text {
			t.Errorf("%s is %q, want %q", name, got[name], text)
		}
	}
}

func TestCopyConfigReplacesAndKeeps(t *testing.T) {
	from, to := t.TempDir(), t.TempDir()
	put(t, filepath.Join(from, "config.json"), "new")
	put(t, filepath.Join(to, "config.json"), "old and longer")
	put(t, filepath.Join(to, "state.json"), "kept")
	if err := volume.CopyConfig(from, to, 0); err != nil {
		t.Fatal(err)
	}
	if got := tree(t, to); len(got) != 2 || got["config.json"] != "new" || got["state.json"] != "kept" {
		t.Errorf("the target holds %q", got)
	}
}

func TestCopyConfigFails(t *testing.T) {
	whole := packed(t, strings.Repeat("x", 1<<20))
	file := func(name, text string) func(*testing.T, string) {
		return func(t *testing.T, from string) {
			t.Helper()
			put(t, filepath.Join(from, name), text)
		}
	}
	linkTo := func(name, target string) func(*testing.T, string) {
		return func(t *testing.T, from string) {
			t.Helper()
			link(t, target, filepath.Join(from, name))
		}
	}
	tests := map[string]struct {
		fill func(t *testing.T, from string)
		want string
	}{
		"no such folder":       {remove, "no such file"},
		"no gzip":              {file("a.json.gz", "{}"), "a.json.gz: "},
		"empty gzip":           {file("a.json.gz", ""), "a.json.gz: "},
		"half a gzip":          {file("a.json.gz", whole[:len(whole)/2]), "a.json.gz: unexpected EOF"},
		"damaged gzip":         {file("a.json.gz", whole[:len(whole)-8]+"00000000"), "checksum"},
		"both forms":           {bothForms, "would both become"},
		"a pipe":               {pipeInside, "is not a regular file"},
		"a pipe as a gz":       {pipeAs("a.json.gz"), "is not a regular file"},
		"a device":             {linkTo("a.json", "/dev/zero"), "is not a regular file"},
		"a link to a pipe":     {linkedPipe, "is not a regular file"},
		"links in a ring":      {ringOfLinks, "too many"},
		"the folder is a pipe": {folderIsPipe, "not a directory"},
		"a dangling link":      {linkTo("a.json", "nowhere"), "a.json: no such file"},
		"a link to itself":     {linkTo("again", "."), "leads back to itself"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			from, to := filepath.Join(t.TempDir(), "from"), filepath.Join(t.TempDir(), "to")
			if err := os.Mkdir(from, 0o700); err != nil {
				t.Fatal(err)
			}
			test.fill(t, from)
			err := volume.CopyConfig(from, to, 0)
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), from) {
				t.Errorf("got %v, want an error with %q that names the file", err, test.want)
			}
			if _, err := os.Stat(to); err != nil {
				return
			}
			for left := range tree(t, to) {
				if name != "both forms" { // there the first is copied
					t.Errorf("%s is left in the target", left)
				}
			}
		})
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

func bothForms(t *testing.T, from string) {
	t.Helper()
	put(t, filepath.Join(from, "a.json"), "{}")
	put(t, filepath.Join(from, "a.json.gz"), packed(t, "{}"))
}

func pipeInside(t *testing.T, from string) {
	t.Helper()
	pipeAs("a.json")(t, from)
}

func pipeAs(name string) func(*testing.T, string) {
	return func(t *testing.T, from string) {
		t.Helper()
		if err := syscall.Mkfifo(filepath.Join(from, name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func linkedPipe(t *testing.T, from string) {
	t.Helper()
	outside := t.TempDir()
	pipeAs("pipe")(t, outside)
	link(t, filepath.Join(outside, "pipe"), filepath.Join(from, "a.json"))
}

func ringOfLinks(t *testing.T, from string) {
	t.Helper()
	link(t, "b.json", filepath.Join(from, "a.json"))
	link(t, "a.json", filepath.Join(from, "b.json"))
}

func folderIsPipe(t *testing.T, from string) {
	t.Helper()
	remove(t, from)
	pipeAs(filepath.Base(from))(t, filepath.Dir(from))
}

func TestCopyConfigIntoItself(t *testing.T) {
	folder := t.TempDir()
	for _, to := range []string{folder, filepath.Join(folder, "copy"), filepath.Join(folder, "..", filepath.Base(folder), "x")} {
		if err := volume.CopyConfig(folder, to, 0); err == nil || !strings.Contains(err.Error(), "choose another") {
			t.Errorf("into %s: %v", to, err)
		}
	}
	if err := volume.CopyConfig(folder, folder+"-copy", 0); err != nil {
		t.Errorf("a neighbour whose name begins alike: %v", err)
	}
	remove(t, folder+"-copy")
}
