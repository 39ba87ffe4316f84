package sidecartest

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"sync-sidecar/sidecar"
)

// holdVariable tells a test of HoldLock that it is the other process, and whose lock it is to hold where.
const holdVariable = "SIDECARTEST_HOLD"

// holding is what the other process is told.
type holding struct {
	Place    string
	Identity sidecar.Identity
}

// holds is what the other process says when it has the lock.
const holds = "the lock is held"

// HoldInProcess runs a test of the same test binary, which calls HoldLock, as a process of its own, and returns how to kill it (SIGKILL). place tells
// it where the journal is. The process has the lock when HoldInProcess returns.
func HoldInProcess(t testing.TB, test, place string, identity sidecar.Identity) (kill func()) {
	t.Helper()
	told, err := json.Marshal(holding{Place: place, Identity: identity})
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), program, "-test.run=^"+test+"$", "-test.count=1")
	command.Env = append(os.Environ(), holdVariable+"="+string(told))
	if _, err := command.StdinPipe(); err != nil { // it ends with us
		t.Fatal(err)
	}
	output, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	command.Stderr = command.Stdout
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	kill = func() {
		_ = command.Process.Kill() // an error says that it has ended
		_ = command.Wait()         // killed is what it is meant to be
	}
	t.Cleanup(kill)
	var said strings.Builder
	for lines := bufio.NewScanner(output); lines.Scan(); {
		if lines.Text() == holds {
			return kill
		}
		said.WriteString(lines.Text() + "\n")
	}
	t.Fatalf("no process holds the lock: %s", said.String())
	return nil
}

// HoldLock is the other process: it opens the journal, takes its lock, and keeps it until it is killed, or its parent has ended. In a run of the
// tests it does nothing.
func HoldLock(t *testing.T, open func(t testing.TB, place string, identity sidecar.Identity) sidecar.Journal) {
	t.Helper()
	text := os.Getenv(holdVariable)
	if text == "" {
		return
	}
	var told holding
	if err := json.Unmarshal([]byte(text), &told); err != nil {
		t.Fatal(err)
	}
	journal := open(t, told.Place, told.Identity)
	if err := journal.Lock(t.Context()); err != nil {
		t.Fatal(err)
	}
	fmt.Println(holds)
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		t.Fatal(err)
	}
	if err := journal.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}
