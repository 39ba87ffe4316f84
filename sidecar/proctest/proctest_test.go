package proctest_test

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"testing"

	"sync-sidecar/sidecar/proctest"
)

// TestHighWater starts a small program from a large process: its figure is its own, and stays when it gives memory back.
func TestHighWater(t *testing.T) {
	const large = 128 << 20
	ballast := make([]byte, large)
	for i := 0; i < large; i += os.Getpagesize() {
		ballast[i] = 1
	}
	if own := proctest.HighWater(os.Getpid()); own < large {
		t.Errorf("this process has %d bytes, and a slice of %d", own, large)
	}
	command := exec.Command("cat")
	in, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	watched := proctest.WatchHighWater(command.Process.Pid, ended)
	if _, err := io.WriteString(in, "there\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	if got := proctest.HighWater(command.Process.Pid); got == 0 || got >= large/2 {
		t.Errorf("cat has %d bytes", got)
	}
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	if err := command.Wait(); err != nil {
		t.Fatal(err)
	}
	close(ended)
	if got := <-watched; got == 0 || got >= large/2 {
		t.Errorf("cat had %d bytes", got)
	}
	if got := proctest.HighWater(command.Process.Pid); got != 0 {
		t.Errorf("an ended process has %d bytes", got)
	}
	ballast[0] = 2 // it is needed until here
}
