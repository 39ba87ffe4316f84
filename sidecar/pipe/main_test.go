package pipe_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"sync-sidecar/sidecar/pipe"
)

// helperVariable makes the test binary do one thing as a process of its own, since umask and user are those of a whole process.
const helperVariable = "PIPE_TEST_HELPER"

func TestMain(m *testing.M) {
	if mode := os.Getenv(helperVariable); mode != "" {
		os.Exit(helper(mode, os.Args[1]))
	}
	goleak.VerifyTestMain(m)
}

// helper does what its mode says with a path, under the strictest umask.
func helper(mode, path string) int {
	syscall.Umask(0o077)
	var err error
	switch mode {
	case "make":
		err = pipe.Make(path)
	case "running":
		err = pipe.WriteRunning(path)
	case "finished":
		err = pipe.WriteExitStatus(path, pipe.ExitStatus{Code: 5})
	default:
		err = fmt.Errorf("no helper %q", mode)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// asUser runs a helper as another user; uid 0 is the user of the test.
func asUser(t *testing.T, uid uint32, mode, path string) (string, error) {
	t.Helper()
	command := exec.CommandContext(t.Context(), helperBinary(t, uid), path)
	command.Env = append(os.Environ(), helperVariable+"="+mode)
	if uid != 0 {
		command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	}
	output, err := command.CombinedOutput()
	return string(output), err
}

// helperBinary is the test binary at a place where the user can run it: go test builds it into a folder of its own user.
func helperBinary(t *testing.T, uid uint32) string {
	t.Helper()
	own, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if uid == 0 {
		return own
	}
	content, err := os.ReadFile(own)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(sharedFolder(t, 0o755), "helper")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// sharedFolder is a folder that other users can reach: those of t.TempDir lie in one that they cannot.
func sharedFolder(t *testing.T, mode os.FileMode) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "pipe-test-") //nolint:usetesting // Other users cannot reach what lies in t.TempDir.
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(folder); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(folder, mode); err != nil {
		t.Fatal(err)
	}
	return folder
}

// needRoot skips what only root can try: being somebody else.
func needRoot(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root, to run as other users")
	}
}
