package pipe_test

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"sync-sidecar/sidecar/pipe"
)

func modeOf(t *testing.T, path string) os.FileMode {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode()
}

func TestMakeIgnoresUmask(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "a", "b")
	path := filepath.Join(folder, "stdout")
	if output, err := asUser(t, 0, "make", path); err != nil {
		t.Fatalf("make: %v: %s", err, output)
	}
	if got, want := modeOf(t, path), os.ModeNamedPipe|0o666; got != want {
		t.Errorf("pipe has mode %v, want %v", got, want)
	}
	for _, made := range []string{folder, filepath.Dir(folder)} {
		if got, want := modeOf(t, made), os.ModeDir|0o777; got != want {
			t.Errorf("%s has mode %v, want %v", made, got, want)
		}
	}
}

func TestMakeKeepsAPipe(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "stdout")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := pipe.Make(path); err != nil {
			t.Fatal(err)
		}
	}
	if got := modeOf(t, path).Perm(); got != 0o666 {
		t.Errorf("pipe has mode %v, want 0666", got)
	}
}

func TestMakeOpensOnlyAFolderOfPipes(t *testing.T) {
	tests := map[string]struct {
		beside string // what else is in the folder
		want   os.FileMode
	}{
		"root of a fresh volume":    {"lost+found", 0o777},
		"a folder with other files": {"notes.txt", 0o700},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			if err := os.Chmod(folder, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.Mkdir(filepath.Join(folder, test.beside), 0o700); err != nil {
				t.Fatal(err)
			}
			for _, pipeName := range []string{"stdout", "stderr"} {
				if err := pipe.Make(filepath.Join(folder, pipeName)); err != nil {
					t.Fatal(err)
				}
			}
			if got := modeOf(t, folder).Perm(); got != test.want {
				t.Errorf("the folder has mode %v, want %v", got, test.want)
			}
		})
	}
}

func TestMakeInAnotherUsersFolder(t *testing.T) {
	needRoot(t)
	folder := sharedFolder(t, 0o755)
	if err := os.Chown(folder, 1000, 1000); err != nil {
		t.Fatal(err)
	}
	if err := pipe.Make(filepath.Join(folder, "stdout")); err != nil {
		t.Fatal(err)
	}
	if got := modeOf(t, folder).Perm(); got != 0o755 {
		t.Errorf("the folder of another user has mode %v, want it left at 0755", got)
	}
}

func TestMakeRefusesWhatIsNoPipe(t *testing.T) {
	tests := map[string]struct {
		put  func(path string) error
		want string
	}{
		"file":          {func(path string) error { return os.WriteFile(path, nil, 0o600) }, "is a regular file"},
		"folder":        {func(path string) error { return os.Mkdir(path, 0o700) }, "is a folder"},
		"socket":        {listen, "is a socket"},
		"device":        {func(path string) error { return os.Symlink(os.DevNull, path) }, "is a device"},
		"dangling link": {func(path string) error { return os.Symlink("nowhere", path) }, "no pipe at"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "stdout")
			if err := test.put(path); err != nil {
				t.Fatal(err)
			}
			err := pipe.Make(path)
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("Make gave %v, want an error with %q that names the path", err, test.want)
			}
			if name != "dangling link" && !errors.Is(err, pipe.ErrNotPipe) {
				t.Errorf("Make gave %v, want it to wrap ErrNotPipe", err)
			}
			_, err = os.Lstat(path)
			if err != nil {
				t.Errorf("what was there is gone: %v", err)
			}
		})
	}
}

// listen leaves a socket at the path.
func listen(path string) error {
	listener, err := net.Listen("unix", path)
	if err != nil {
		return err
	}
	listener.(*net.UnixListener).SetUnlinkOnClose(false)
	return listener.Close()
}

func TestMakeWhereTheFolderIsAFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pipes")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	err := pipe.Make(filepath.Join(file, "stdout"))
	if err == nil || !strings.Contains(err.Error(), file+" is a regular file, not a folder") {
		t.Errorf("Make gave %v, want an error that says what %s is", err, file)
	}
}

func TestMakeOfAnotherUsersPipe(t *testing.T) {
	needRoot(t)
	path := filepath.Join(sharedFolder(t, 0o777), "stdout")
	if err := pipe.Make(path); err != nil {
		t.Fatal(err)
	}
	if output, err := asUser(t, 65532, "make", path); err != nil {
		t.Errorf("a pipe of root that everybody can use is fine, but Make gave %v: %s", err, output)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	output, err := asUser(t, 65532, "make", path)
	if err == nil || !strings.Contains(output, path) || !strings.Contains(output, "it belongs to another user and has mode 0600") {
		t.Errorf("Make of an unusable pipe gave %v: %s", err, output)
	}
}
