package owner

import (
	"os"
	"os/exec"
	"testing"
)

func TestMachineIsStable(t *testing.T) {
	if first, second := Machine(), Machine(); first == "" || first != second {
		t.Errorf("%q, then %q", first, second)
	}
}

func TestGone(t *testing.T) {
	command := exec.CommandContext(t.Context(), "true")
	if err := command.Run(); err != nil {
		t.Fatal(err)
	}
	for pid, want := range map[int]bool{command.Process.Pid: true, os.Getpid(): false, os.Getppid(): false, 1: false, 0: false, -1: false} {
		if got := Gone(pid); got != want {
			t.Errorf("%d: gone is %t", pid, got)
		}
	}
}
