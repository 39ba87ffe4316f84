package process

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// processesOf are the processes of a program whose command line names the folder, as /proc shows them. A killed one takes a moment to go.
func processesOf(t *testing.T, program, folder string) []string {
	t.Helper()
	deadline := time.Now().Add(5 * time.Second)
	for {
		var found []string
		files, err := filepath.Glob("/proc/[0-9]*/cmdline")
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			line, err := os.ReadFile(file)
			if err == nil && bytes.HasPrefix(line, []byte(program)) && bytes.Contains(line, []byte(folder)) {
				found = append(found, string(bytes.ReplaceAll(line, []byte{0}, []byte(" "))))
			}
		}
		if len(found) == 0 || time.Now().After(deadline) {
			return found
		}
		time.Sleep(10 * time.Millisecond) // polling with a deadline
	}
}

// deadProcess is the PID of a process that has ended.
func deadProcess(t *testing.T) int {
	t.Helper()
	command := exec.CommandContext(t.Context(), "true")
	if err := command.Run(); err != nil {
		t.Fatal(err)
	}
	return command.Process.Pid
}

// A shell that keeps a CPU busy in a child: both count.
func TestFamilyCountsWhatIsBelow(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		t.Skip("needs /proc")
	}
	command := exec.CommandContext(t.Context(), "sh", "-c", "(while :; do :; done) & wait")
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	var seen sample
	for deadline := time.Now().Add(20 * time.Second); seen.ticks < 5 && time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		seen = family(command.Process.Pid)
	}
	children, err := exec.CommandContext(t.Context(), "pkill", "-P", fmt.Sprint(command.Process.Pid)).CombinedOutput()
	if err != nil {
		t.Errorf("%v %s", err, children)
	}
	_ = command.Wait() // its child was killed
	if seen.ticks < 5 || seen.memory < 100_000 {
		t.Errorf("%+v", seen)
	}
	if gone := family(1 << 30); gone != (sample{}) {
		t.Errorf("no process uses %+v", gone)
	}
}
