package volume_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sync-sidecar/sidecar/atomicfile"
	"sync-sidecar/sidecar/volume"
)

// zeros is a gzip of so many bytes, in so many members of the same size.
func zeros(t *testing.T, size, members int) string {
	t.Helper()
	return strings.Repeat(packed(t, string(make([]byte, size/members))), members)
}

// leftovers are the files in a folder that a replacement of a file left half-written.
func leftovers(t *testing.T, folder, file string) []string {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	var found []string
	for _, entry := range entries {
		if target, ours := atomicfile.Replaces(entry.Name()); ours && target == file {
			found = append(found, entry.Name())
		}
	}
	return found
}

// killAtWork starts the helper and kills it while it writes a file into the folder.
func killAtWork(t *testing.T, what, from, to, file string) {
	t.Helper()
	own, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for range 20 { // the kill can come too late
		command := exec.CommandContext(t.Context(), own, from, to)
		command.Env = append(os.Environ(), helperVariable+"="+what)
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(30 * time.Second); len(leftovers(t, to, file)) == 0 && time.Now().Before(deadline); {
			time.Sleep(time.Millisecond) // polling with a deadline
		}
		if err := command.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := command.Wait(); err == nil {
			t.Fatal("the helper ended by itself")
		}
		if len(leftovers(t, to, file)) > 0 {
			return
		}
	}
	t.Fatal("the helper was never killed at work")
}

// others puts files into a folder that look much like leftovers and are somebody else's.
func others(t *testing.T, folder string) []string {
	t.Helper()
	names := []string{
		".sync-sidecar-123456789", ".sync-sidecar", "sync-sidecar.ABCDEFGHIJ.tmp", ".config.json.tmp", ".config.json.abcdefghij.tmp",
		".ABCDEFGHIJ.tmp", "x.tmp",
	}
	for _, name := range names {
		put(t, filepath.Join(folder, name), "not ours")
	}
	return names
}

func TestPlaceRemovesWhatAKilledOneLeft(t *testing.T) {
	t.Parallel()
	folder, big := t.TempDir(), filepath.Join(t.TempDir(), "big")
	put(t, big, "")
	if err := os.Truncate(big, 4<<30); err != nil { // sparse
		t.Fatal(err)
	}
	names := others(t, folder)
	put(t, filepath.Join(folder, ".other.ABCDEFGHIJ.tmp"), "the leftover of another file")
	killAtWork(t, "slow place", big, folder, "sync-sidecar")
	small := filepath.Join(t.TempDir(), "small")
	put(t, small, "binary")
	if _, err := volume.Place(small, folder); err != nil {
		t.Fatal(err)
	}
	wantTree(t, folder, names, map[string]string{"sync-sidecar": "binary", ".other.ABCDEFGHIJ.tmp": "the leftover of another file"})
}

func TestCopyConfigRemovesWhatAKilledOneLeft(t *testing.T) {
	t.Parallel()
	from, to := t.TempDir(), t.TempDir()
	names := others(t, to)
	put(t, filepath.Join(from, "a.json"), "a")
	put(t, filepath.Join(from, "b.json.gz"), zeros(t, 512<<20, 512))
	put(t, filepath.Join(from, "c.json"), "c")
	killAtWork(t, "slow copy", from, to, "b.json")
	if got := tree(t, to); got["a.json"] != "a" || got["b.json"] != "" || got["c.json"] != "" {
		t.Error("files are not replaced one by one and whole")
	}
	put(t, filepath.Join(from, "b.json.gz"), packed(t, "b"))
	// A folder that is copied into has leftovers of its own, also of files that are gone from the source.
	for _, folder := range []string{filepath.Join(from, "sub"), filepath.Join(to, "sub")} {
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	put(t, filepath.Join(to, "sub", ".gone.pem.ABCDEFGHIJ.tmp"), "half a key")
	if err := volume.CopyConfig(from, to, 0); err != nil {
		t.Fatal(err)
	}
	wantTree(t, to, names, map[string]string{"a.json": "a", "b.json": "b", "c.json": "c"})
}

// wantTree fails the test unless a folder holds others' files and the wanted ones, and nothing else.
func wantTree(t *testing.T, folder string, names []string, want map[string]string) {
	t.Helper()
	got := tree(t, folder)
	for _, name := range names {
		want[name] = "not ours"
	}
	for name, text := range want {
		if got[name] != text {
			t.Errorf("%s is %q, want %q", name, got[name], text)
		}
		delete(got, name)
	}
	for name := range got {
		t.Errorf("%s is left", name)
	}
}

// Nothing but a file is removed, whatever its name is.
func TestLeftoversAreFiles(t *testing.T) {
	t.Parallel()
	from, to := t.TempDir(), t.TempDir()
	kept := filepath.Join(to, ".config.json.ABCDEFGHIJ.tmp")
	if err := os.Mkdir(kept, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := volume.CopyConfig(from, to, 0); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(kept); err != nil {
		t.Error(err)
	}
}

func TestCopyConfigUnpacksUpToALimit(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		files map[string]string // *.gz
		limit int64
		fails string // the file that is named
	}{
		"as much as is allowed":  {map[string]string{"a": zeros(t, 1000, 1)}, 1000, ""},
		"a byte more":            {map[string]string{"a": zeros(t, 1001, 1)}, 1000, "a.gz"},
		"a bomb":                 {map[string]string{"a": zeros(t, 8<<20, 1)}, 1 << 20, "a.gz"},
		"a bomb of many members": {map[string]string{"a": zeros(t, 64<<20, 1000)}, 1 << 20, "a.gz"},
		"many small files":       {map[string]string{"a": zeros(t, 400, 1), "b": zeros(t, 400, 1), "c": zeros(t, 400, 1)}, 1000, "c.gz"},
		"empty members":          {map[string]string{"a": strings.Repeat(zeros(t, 0, 1), 10_000)}, 1, ""},
		"no limit":               {map[string]string{"a": zeros(t, 2<<20, 1)}, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			from, to := t.TempDir(), t.TempDir()
			put(t, filepath.Join(from, "plain.bin"), strings.Repeat("x", 5000)) // is as large as it is
			for name, content := range test.files {
				put(t, filepath.Join(from, name+".gz"), content)
			}
			err := volume.CopyConfig(from, to, test.limit)
			if test.fails == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			for _, want := range []string{filepath.Join(from, test.fails), "COPY_CONFIG_LIMIT", "larger than 1"} {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, want %s", err, want)
				}
			}
			if _, err := os.Stat(filepath.Join(to, strings.TrimSuffix(test.fails, ".gz"))); !os.IsNotExist(err) {
				t.Errorf("a part of it is there: %v", err)
			}
			if left := leftovers(t, to, strings.TrimSuffix(test.fails, ".gz")); len(left) > 0 {
				t.Errorf("left behind: %q", left)
			}
		})
	}
}

// The connector can write into the target, and the next init, which may be root, must not follow where it points.
func TestCopyConfigDoesNotFollowLinksOfTheTarget(t *testing.T) {
	t.Parallel()
	from, to, elsewhere := t.TempDir(), t.TempDir(), t.TempDir()
	if err := os.Mkdir(filepath.Join(from, "keys"), 0o700); err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(from, "keys", "tls.pem"), "key")
	put(t, filepath.Join(from, "config.json"), "new")
	put(t, filepath.Join(elsewhere, "victim"), "old")
	link(t, elsewhere, filepath.Join(to, "keys"))
	link(t, filepath.Join(elsewhere, "victim"), filepath.Join(to, "config.json"))
	if err := volume.CopyConfig(from, to, 0); err == nil || !strings.Contains(err.Error(), "symbolic link") {
		t.Errorf("got %v", err)
	}
	if got := tree(t, elsewhere); len(got) != 1 || got["victim"] != "old" {
		t.Errorf("the folder elsewhere holds %q", got)
	}
	remove(t, filepath.Join(to, "keys"))
	if err := volume.CopyConfig(from, to, 0); err != nil {
		t.Error(err)
	}
	if got := tree(t, to); got["config.json"] != "new" || got["keys/tls.pem"] != "key" {
		t.Errorf("the target holds %q", got)
	}
}
