package atomicfile_test

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
	"time"

	"go.uber.org/goleak"

	"sync-sidecar/sidecar/atomicfile"
)

// helperVariable makes the test binary replace a file as a process of its own: umask and the largest size of a file are those of a whole process.
const helperVariable = "ATOMICFILE_TEST_HELPER"

func TestMain(m *testing.M) {
	if mode := os.Getenv(helperVariable); mode != "" {
		os.Exit(helper(mode, os.Args[1]))
	}
	goleak.VerifyTestMain(m)
}

// helper replaces a file in one of several ways, under a strict umask.
func helper(mode, path string) int {
	syscall.Umask(0o027)
	var err error
	switch mode {
	case "exact":
		err = atomicfile.Replace(path, []byte("new"), 0o666)
	case "umask":
		err = atomicfile.Write(path, strings.NewReader("new"), atomicfile.Options{Mode: 0o666, Umask: true})
	case "for ever":
		for {
			content := strings.Repeat(string(rune('a'+time.Now().UnixNano()%26)), 1<<20)
			if err = atomicfile.Replace(path, []byte(content), 0o600); err != nil {
				break
			}
		}
	}
	if err != nil {
		_, _ = io.WriteString(os.Stderr, err.Error())
		return 1
	}
	return 0
}

// startHelper starts the test binary as a helper.
func startHelper(t *testing.T, mode, path string) *exec.Cmd {
	t.Helper()
	program, err := os.Executable()
	must(t, err)
	command := exec.CommandContext(t.Context(), program, path)
	command.Env = append(os.Environ(), helperVariable+"="+mode)
	must(t, command.Start())
	return command
}

func TestModes(t *testing.T) {
	t.Parallel()
	for mode, want := range map[string]fs.FileMode{"exact": 0o666, "umask": 0o640} {
		path := filepath.Join(t.TempDir(), "file")
		must(t, os.WriteFile(path, []byte("old"), 0o400))
		must(t, startHelper(t, mode, path).Wait())
		info, err := os.Stat(path)
		must(t, err)
		if info.Mode() != want {
			t.Errorf("%s: mode is %v, want %v", mode, info.Mode(), want)
		}
		holds(t, path, "new")
		onlyFile(t, path)
	}
}

func TestWrite(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "file")
	must(t, atomicfile.Replace(path, nil, 0o600))
	holds(t, path, "")
	at := time.Unix(1_700_000_000, 0)
	for _, unsynced := range []bool{true, false} {
		content := strings.Repeat("x", 1<<20) + time.Now().String()
		must(t, atomicfile.Write(path, strings.NewReader(content), atomicfile.Options{Mode: 0o755, Modified: at, Unsynced: unsynced}))
		holds(t, path, content)
		info, err := os.Stat(path)
		must(t, err)
		if info.Mode() != 0o755 || !info.ModTime().Equal(at) {
			t.Errorf("mode is %v and time is %v", info.Mode(), info.ModTime())
		}
	}
	onlyFile(t, path)
}

// TestFailuresLeaveTheOldFile: and nothing else. What they say names the file, and no temporary one.
func TestFailuresLeaveTheOldFile(t *testing.T) {
	t.Parallel()
	broken := errors.New("the source broke")
	missing := func() io.Reader { _, err := os.Open("/no/such/source.tmp"); return iotest.ErrReader(err) }
	tests := []struct {
		name  string
		spoil func(t *testing.T, path string) // what is there
		from  io.Reader
		want  error
	}{
		{"content", nil, io.MultiReader(strings.NewReader("ne"), iotest.ErrReader(broken)), broken},
		{"content of a file", nil, missing(), fs.ErrNotExist},
		{"a folder in its place", func(t *testing.T, path string) {
			t.Helper()
			must(t, os.Remove(path))
			must(t, os.MkdirAll(filepath.Join(path, "full"), 0o700))
		}, strings.NewReader("new"), syscall.EEXIST},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "file")
			must(t, os.WriteFile(path, []byte("old"), 0o600))
			if test.spoil != nil {
				test.spoil(t, path)
			}
			err := atomicfile.Write(path, test.from, atomicfile.Options{Mode: 0o600})
			var at *fs.PathError
			if !errors.Is(err, test.want) || !errors.As(err, &at) || at.Path != path {
				t.Errorf("error is %v, want one of %s that is %v", err, path, test.want)
			}
			if text := strings.ReplaceAll(err.Error(), "/no/such/source.tmp", ""); strings.Contains(text, ".tmp") {
				t.Errorf("error %q names a temporary file", err)
			}
			if test.spoil == nil {
				holds(t, path, "old")
			}
			onlyFile(t, path)
		})
	}
	err := atomicfile.Replace(filepath.Join(t.TempDir(), "no", "file"), nil, 0o600)
	if !errors.Is(err, fs.ErrNotExist) || strings.Contains(err.Error(), ".tmp") {
		t.Errorf("without a folder the error is %v", err)
	}
}

// TestKilledWhileReplacing: whoever is killed leaves a whole file, and at most one that Replaces knows as temporary.
func TestKilledWhileReplacing(t *testing.T) {
	t.Parallel()
	for range 20 {
		path := filepath.Join(t.TempDir(), "file")
		process := startHelper(t, "for ever", path)
		for began := time.Now(); ; {
			if _, err := os.Stat(path); err == nil {
				break
			}
			if time.Since(began) > 10*time.Second {
				t.Fatal("no file came")
			}
		}
		must(t, process.Process.Kill())
		if err := process.Wait(); err == nil {
			t.Fatal("it ended by itself")
		}
		content, err := os.ReadFile(path)
		must(t, err)
		if len(content) != 1<<20 || strings.Trim(string(content), string(content[:1])) != "" {
			t.Fatalf("the file is torn: %d bytes", len(content))
		}
		entries, err := os.ReadDir(filepath.Dir(path))
		must(t, err)
		for _, entry := range entries {
			if name, found := atomicfile.Replaces(entry.Name()); entry.Name() != "file" && (!found || name != "file") {
				t.Errorf("%s is taken for a file that replaces %q", entry.Name(), name)
			}
		}
	}
}

func TestReplaces(t *testing.T) {
	t.Parallel()
	for temp, want := range map[string]string{
		".state.json.ABCDEFGHIJ.tmp": "state.json", ".x.2345672345.tmp": "x", "..ABCDEFGHIJ.tmp": "", ".ABCDEFGHIJ.tmp": "", ".tmp": "", "": "",
		"state.json.ABCDEFGHIJ.tmp": "", ".state.json.ABCDEFGHI.tmp": "", ".state.json.ABCDEFGHI1.tmp": "", ".state.json.ABCDEFGHIJ": "",
	} {
		if got, found := atomicfile.Replaces(temp); got != want || found != (want != "") {
			t.Errorf("Replaces(%q) is %q, %v", temp, got, found)
		}
	}
}

// holds fails the test unless a file has this content.
func holds(t *testing.T, path, want string) {
	t.Helper()
	content, err := os.ReadFile(path)
	must(t, err)
	if string(content) != want {
		t.Errorf("%s holds %.20q, want %.20q", path, content, want)
	}
}

// onlyFile fails the test when anything else is in the file's folder.
func onlyFile(t *testing.T, path string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	must(t, err)
	if len(entries) != 1 {
		t.Errorf("%v are left beside %s", entries, path)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
