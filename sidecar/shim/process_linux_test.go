package shim

import (
	"os/exec"
	"testing"
)

// Whatever comes first, the signal about the end of a child or the end of the wait for it: the exit status of the connector stays to be collected,
// and that of any other child does not.
func TestReapLeavesTheConnector(t *testing.T) {
	connector, other := exec.CommandContext(t.Context(), "sh", "-c", "exit 5"), exec.CommandContext(t.Context(), "true")
	for _, command := range []*exec.Cmd{connector, other} {
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		if err := awaitEnd(command); err != nil {
			t.Fatal(err)
		}
	}
	reapOrphans(connector.Process.Pid)
	if err := collect(connector); err != nil || connector.ProcessState.ExitCode() != 5 {
		t.Errorf("the connector's exit status is %v, %v, want 5", connector.ProcessState, err)
	}
	if err := other.Wait(); err == nil {
		t.Error("the other child was not collected")
	}
}
