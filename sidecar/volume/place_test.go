package volume_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"sync-sidecar/sidecar/volume"
)

func TestPlaceAndCopyIgnoreUmask(t *testing.T) {
	own, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	from, to, bin := filepath.Join(folder, "from"), filepath.Join(folder, "to"), filepath.Join(folder, "bin")
	if err := os.MkdirAll(filepath.Join(from, "sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(from, "config.json"), "{}")
	put(t, filepath.Join(from, "sub", "key.pem"), "k")
	command := exec.CommandContext(t.Context(), own, own, bin, from, to)
	command.Env = append(os.Environ(), helperVariable+"=copy")
	output, err := command.CombinedOutput()
	if err != nil || string(output) != filepath.Join(bin, volume.BinaryName) {
		t.Fatalf("%v: %s", err, output)
	}
	for path, want := range map[string]os.FileMode{
		filepath.Join(bin, "sync-sidecar"):  0o755,
		filepath.Join(to, "config.json"):    0o666,
		filepath.Join(to, "sub", "key.pem"): 0o666,
		to:                                  0o777 | os.ModeDir,
		filepath.Join(to, "sub"):            0o777 | os.ModeDir,
	} {
		if got := mode(t, path); got != want {
			t.Errorf("%s has mode %v, want %v", path, got, want)
		}
	}
}

// The connector of the run before may still execute the old copy (ETXTBSY for whoever writes into it), and the new one must start.
func TestPlaceWhileTheOldCopyRuns(t *testing.T) {
	own, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	placed, err := volume.Place(sleep, folder)
	if err != nil {
		t.Fatal(err)
	}
	old := exec.CommandContext(t.Context(), placed, "1000")
	if err := old.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := old.Process.Kill(); err != nil {
			t.Error(err)
		}
		if err := old.Wait(); err == nil {
			t.Error("the old copy ended by itself")
		}
	}()
	for range 2 {
		if placed, err = volume.Place(own, folder); err != nil {
			t.Fatal(err)
		}
	}
	command := exec.CommandContext(t.Context(), placed)
	command.Env = append(os.Environ(), helperVariable+"=placed")
	if output, err := command.CombinedOutput(); err != nil || string(output) != "placed binary runs" {
		t.Errorf("%v: %s", err, output)
	}
	if err := old.Process.Signal(syscall.Signal(0)); err != nil {
		t.Errorf("the old copy does not run any more: %v", err)
	}
	if entries, err := os.ReadDir(folder); err != nil || len(entries) != 1 {
		t.Errorf("the folder holds %v (%v), want the binary alone", entries, err)
	}
}

func TestPlaceOntoItself(t *testing.T) {
	own, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	placed, err := volume.Place(own, folder)
	if err != nil {
		t.Fatal(err)
	}
	before, err := os.Stat(placed)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := volume.Place(placed, folder); err != nil {
		t.Fatal(err)
	}
	after, err := os.Stat(placed)
	if err != nil || !os.SameFile(before, after) {
		t.Errorf("the binary that runs was replaced by itself (%v)", err)
	}
}

func TestPlaceFails(t *testing.T) {
	folder := t.TempDir()
	file := filepath.Join(folder, "file")
	put(t, file, "")
	tests := map[string]struct{ executable, folder, want string }{
		"no binary":        {filepath.Join(folder, "none"), filepath.Join(folder, "bin"), "none: no such file"},
		"folder is a file": {file, file, "not a directory"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := volume.Place(test.executable, test.folder)
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "place the binary at "+test.folder) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}
