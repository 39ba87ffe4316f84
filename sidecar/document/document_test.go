package document

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"unicode/utf16"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// utf16Text is text as PowerShell's `>` writes it, with its byte order mark first when there is one.
func utf16Text(text string, bigEndian bool) string {
	var encoded []byte
	for _, unit := range utf16.Encode([]rune(text)) {
		low, high := byte(unit), byte(unit>>8)
		if bigEndian {
			low, high = high, low
		}
		encoded = append(encoded, low, high)
	}
	return string(encoded)
}

func TestUTF8(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, give, want, problem string }{
		{"plain", `{"a":1}`, `{"a":1}`, ""},
		{"empty", "", "", ""},
		{"with a byte order mark", "\ufeff{\"a\":1}", `{"a":1}`, ""},
		{"the mark alone", "\ufeff", "", ""},
		{"the mark inside a string stays", "{\"a\":\"\ufeff\"}", "{\"a\":\"\ufeff\"}", ""},
		{"UTF-16, little endian", utf16Text("\ufeff{\"a\":1}", false), "", "UTF-16"},
		{"UTF-16, big endian", utf16Text("\ufeff{\"a\":1}", true), "", "UTF-16"},
		{"UTF-16 without a mark", utf16Text(`{"a":1}`, false), "", "UTF-16"},
		{"a list in UTF-16 without a mark", utf16Text(`[]`, false), "", "UTF-16"},
		{"UTF-16, big endian, without a mark", utf16Text(`{"a":1}`, true), "", "UTF-16"},
		{"UTF-32", "\xff\xfe\x00\x00{\x00\x00\x00}\x00\x00\x00", "", "UTF-32"},
		{"UTF-32, big endian", "\x00\x00\xfe\xff\x00\x00\x00{\x00\x00\x00}", "", "UTF-32"},
	} {
		got, err := UTF8([]byte(test.give))
		if string(got) != test.want || (err == nil) != (test.problem == "") || err != nil && !strings.Contains(err.Error(), test.problem) {
			t.Errorf("%s: got %q, %v; want %q, %q", test.name, got, err, test.want, test.problem)
		}
	}
}

func TestReadFollowsLinks(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	// As kubelet mounts a ConfigMap: config.json → ..data/config.json, ..data → ..2026_01_02/.
	if err := errors.Join(
		os.Mkdir(filepath.Join(dir, "..2026_01_02"), 0o700),
		os.WriteFile(filepath.Join(dir, "..2026_01_02", "config.json"), []byte("\ufeff{}"), 0o600),
		os.Symlink("..2026_01_02", filepath.Join(dir, "..data")),
		os.Symlink("..data/config.json", filepath.Join(dir, "config.json")),
	); err != nil {
		t.Fatal(err)
	}
	if got, err := Read(filepath.Join(dir, "config.json")); err != nil || string(got) != "{}" {
		t.Errorf("got %q, %v", got, err)
	}
}

// A reader of what is refused here would wait for ever, or for as much as a device gives.
func TestReadRefusesWhatIsNoRegularFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	pipe, link, socket, large := filepath.Join(dir, "pipe"), filepath.Join(dir, "link"), filepath.Join(dir, "socket"), filepath.Join(dir, "large")
	file, err := os.Create(large)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	if err := errors.Join(syscall.Mkfifo(pipe, 0o600), os.Symlink(pipe, link), file.Truncate(MaxBytes+1), file.Close()); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		pipe: "it is a pipe", link: "it is a pipe", "/dev/zero": "it is a device", dir: "it is a directory", socket: "not a regular file",
		large: "longer than 256 MiB",
	} {
		_, err := Read(path)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: got %v, want %q", path, err, want)
		}
	}
	if _, err := Read(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

// A pipe that takes the file's place between the two looks is refused all the same, and not waited for.
func TestReadFileRefusesAPipe(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := readFile(file); err == nil || !strings.Contains(err.Error(), "it is a pipe") {
		t.Errorf("got %v", err)
	}
}
