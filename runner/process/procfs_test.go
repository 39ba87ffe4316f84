package process

import (
	"bytes"
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
