package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"sync-sidecar/runner/runnertest"
)

// commandLine is the shipped binary in a folder of its own.
type commandLine struct {
	t        *testing.T
	programs *runnertest.Programs
	dir      string
	env      []string // added to the process's own
}

func newCommandLine(t *testing.T) *commandLine {
	t.Helper()
	programs := built(t)
	dir := t.TempDir()
	temp := filepath.Join(dir, "tmp")
	if err := os.Mkdir(temp, 0o700); err != nil {
		t.Fatal(err)
	}
	return &commandLine{t: t, programs: programs, dir: dir, env: []string{"TMPDIR=" + temp}}
}

// ended is what a process left.
type ended struct {
	code           int
	stdout, stderr string
}

func (c *commandLine) command(args ...string) (*exec.Cmd, *bytes.Buffer, *bytes.Buffer) {
	var stdout, stderr bytes.Buffer
	command := exec.CommandContext(c.t.Context(), c.programs.Sidecar, args...)
	command.Dir, command.Stdout, command.Stderr = c.dir, &stdout, &stderr
	command.Env = append(command.Environ(), c.env...)
	return command, &stdout, &stderr
}

func (c *commandLine) run(args ...string) ended {
	c.t.Helper()
	command, stdout, stderr := c.command(args...)
	code := codeOf(c.t, command.Run())
	c.clean()
	return ended{code, stdout.String(), stderr.String()}
}

// demo runs the demo source as a local program.
func (c *commandLine) demo(command string, args ...string) ended {
	c.t.Helper()
	return c.run(append([]string{"run", command, "--exec", c.programs.Demo}, args...)...)
}

// pythonsFile is what Python's module tempfile calls its files.
var pythonsFile = regexp.MustCompile(`/tmp[a-z0-9_]{8}$`)

// clean fails the test when a run left something in the temporary folder.
func (c *commandLine) clean() {
	c.t.Helper()
	left, err := filepath.Glob(filepath.Join(c.dir, "tmp", "*"))
	// A connector in Python that is told to stop in the middle leaves the file that it was writing.
	left = slices.DeleteFunc(left, func(path string) bool { return pythonsFile.MatchString(path) })
	if err != nil || len(left) > 0 {
		c.t.Errorf("left behind: %v %v", left, err)
	}
}

func codeOf(t *testing.T, err error) int {
	t.Helper()
	if err == nil {
		return 0
	}
	exit := (*exec.ExitError)(nil)
	if !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return exit.ExitCode()
}

// waitForFile polls until there is such a file with something in it.
func waitForFile(t *testing.T, path string) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for time.Now().Before(deadline) {
		if info, err := os.Stat(path); err == nil && info.Size() > 0 {
			return
		}
		time.Sleep(20 * time.Millisecond) // polling with a deadline
	}
	t.Fatalf("%s did not come", path)
}

// wants checks what a command left: its exit code, and texts in what it wrote.
func (c *commandLine) wants(what string, got ended, code int, texts ...string) {
	c.t.Helper()
	if got.code != code {
		c.t.Errorf("%s: exit code %d, want %d: %s%s", what, got.code, code, got.stdout, got.stderr)
	}
	for _, text := range texts {
		if !strings.Contains(got.stdout+got.stderr, text) {
			c.t.Errorf("%s lacks %q: %s%s", what, text, got.stdout, got.stderr)
		}
	}
}

// file writes a file of the folder.
func (c *commandLine) file(name, content string) {
	c.t.Helper()
	if err := os.WriteFile(filepath.Join(c.dir, name), []byte(content), 0o600); err != nil {
		c.t.Fatal(err)
	}
}
