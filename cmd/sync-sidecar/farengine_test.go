package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/docker/docker/client"
)

// startFarEngine starts a second Engine, which sees no file of the tests, and returns its address. It needs root. In CI that is there: then its
// absence is a failure, not a reason to skip.
func startFarEngine(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("needs a Docker Engine: -short")
	}
	if os.Getuid() != 0 {
		t.Skip("starts a Docker Engine: needs root")
	}
	if _, err := exec.LookPath("dockerd"); err != nil && os.Getenv("CI") != "true" {
		t.Skip("needs dockerd")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	socket, err := listener.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	var said bytes.Buffer
	engine := exec.CommandContext(context.WithoutCancel(t.Context()), "../../scripts/far-docker.sh")
	engine.Stdout, engine.Stderr, engine.ExtraFiles = &said, &said, []*os.File{socket}
	if err := engine.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = engine.Wait() // it is told to end
	}()
	t.Cleanup(func() {
		_ = engine.Process.Signal(syscall.SIGTERM) // it may have ended
		<-ended
		if t.Failed() {
			t.Logf("the second Engine says: %s", said.String())
		}
	})
	address := "tcp://" + listener.Addr().String()
	awaitEngine(t, address, ended)
	return address
}

// awaitEngine waits until an Engine answers.
func awaitEngine(t *testing.T, address string, ended <-chan struct{}) {
	t.Helper()
	engine, err := client.NewClientWithOpts(client.WithHost(address), client.WithAPIVersionNegotiation())
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) { // polling with a deadline
		if _, err := engine.Ping(t.Context()); err == nil {
			return
		}
		select {
		case <-ended:
			t.Fatal("the second Engine ended")
		default:
		}
	}
	t.Fatal("the second Engine does not answer")
}

// TestRunOnAFarEngine: an Engine on another machine, as far as files go. Everything works, rows are in the caller's folder while they come, and stay
// there when the run is killed.
func TestRunOnAFarEngine(t *testing.T) {
	t.Parallel()
	d := newDockerLineAt(t, startFarEngine(t))
	d.everyCommand("the sidecar reaches it through the Engine")
	d.killedWhileRowsCome()
}

// everyCommand tries spec, check, discover, two reads, and a read that fails; view is what reads say of the folder.
func (d *dockerLine) everyCommand(view string) {
	d.t.Helper()
	for command, want := range map[string]string{"spec": "connectionSpecification", "check": "SUCCEEDED", "discover": "customers"} {
		args := []string{"run", command, "--sync-id", d.syncID}
		if command != "spec" {
			args = append(args, "--config", `{"counts":{"orders":600}}`)
		}
		if got := d.run(append(args, d.image)...); got.code != 0 || !strings.Contains(got.stdout, want) {
			d.t.Fatalf("%s: exit code %d\n%s%s", command, got.code, got.stdout, got.stderr)
		}
	}
	for _, file := range []string{"spec.json", "check.json", "catalog.json"} {
		if text, err := os.ReadFile(d.file(file)); err != nil || !json.Valid(text) {
			d.t.Errorf("%s: %v", file, err)
		}
	}
	read := func(config string) ended {
		return d.run("run", "read", "--config", config, "--streams", "orders", "--sync-id", d.syncID, "--verbose", d.image)
	}
	for round, orders := range []int{600, 660} {
		got := read(`{"counts":{"orders":600},"grow":60}`)
		if got.code != 0 || !strings.Contains(got.stderr, view) {
			d.t.Fatalf("read %d: exit code %d\n%s%s", round, got.code, got.stdout, got.stderr)
		}
		d.eachOrderOnce(orders)
	}
	if got := read(`{"faults":{"exit_code":{"code":9}}}`); got.code != exitFailed || !strings.Contains(got.stderr, "9") {
		d.t.Errorf("exit code %d\n%s%s", got.code, got.stdout, got.stderr)
	}
	if left := d.left(""); len(left) > 0 {
		d.t.Errorf("left behind: %v", left)
	}
}

// killedWhileRowsCome: SIGKILL of the run leaves in the folder what was acknowledged by then, `clean` finds and removes all the rest, and the next
// run brings the other rows.
func (d *dockerLine) killedWhileRowsCome() {
	d.t.Helper()
	d.syncID += "-killed"
	read := func(config string) []string {
		return []string{"run", "read", "--config", config, "--streams", "orders", "--sync-id", d.syncID, d.image}
	}
	command, _, stderr := d.command(read(`{"counts":{"orders":2000},"rate":300,"records_per_state":10}`)...)
	if err := command.Start(); err != nil {
		d.t.Fatal(err)
	}
	acknowledged := int64(0)
	for deadline := time.Now().Add(time.Minute); acknowledged == 0 && time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		acknowledged = d.acknowledged() // polling with a deadline
	}
	if err := command.Process.Kill(); err != nil {
		d.t.Fatal(err)
	}
	codeOf(d.t, command.Wait())
	if acknowledged = d.acknowledged(); acknowledged == 0 {
		d.t.Fatalf("no row came while the read ran: %s", stderr)
	}
	if got := d.run("clean"); got.code != 0 || !strings.Contains(got.stdout, "its run was killed") {
		d.t.Errorf("exit code %d: %s%s", got.code, got.stdout, got.stderr)
	}
	if got := d.run("clean", "--remove"); got.code != 0 || len(d.left("")) > 0 {
		d.t.Errorf("exit code %d, %v is left: %s", got.code, d.left(""), got.stderr)
	}
	if after := d.acknowledged(); after < acknowledged {
		d.t.Errorf("%d bytes were acknowledged, now %d", acknowledged, after)
	}
	if got := d.run(read(`{"counts":{"orders":2000}}`)...); got.code != 0 {
		d.t.Errorf("exit code %d\n%s%s", got.code, got.stdout, got.stderr)
	}
	d.eachOrderOnce(2000)
}

// file is a file of the sync's folder.
func (d *dockerLine) file(name string) string {
	return filepath.Join(d.dir, "sync-data", d.syncID, name)
}
