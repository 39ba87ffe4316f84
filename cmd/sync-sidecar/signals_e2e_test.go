package main

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"sync-sidecar/sidecar/postgres/postgrestest"
)

// headOne starts a program whose stdout and stderr are read by `head -1`: the first line is returned, and nobody reads any further.
func headOne(t *testing.T, environ []string, program string, args ...string) (command *exec.Cmd, first string) {
	t.Helper()
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	command = exec.Command(program, args...)
	command.Env, command.Stdout, command.Stderr = environ, writer, writer
	if err := errors.Join(command.Start(), writer.Close()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = command.Process.Kill() })
	first, err = bufio.NewReaderSize(reader, 16).ReadString('\n')
	if err := errors.Join(err, reader.Close()); err != nil {
		t.Fatal(err)
	}
	return command, first
}

// `sidecar 2>&1 | head -1`: whoever reads the log may go, the session goes on and its verdict is recorded.
func TestSidecarOutlivesTheReaderOfItsLog(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"text", "json"} {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			p := newPod(t, "read", `{`+demoCounts+`}`).set("LOG_FORMAT", format)
			source := p.startSource()
			sidecar, first := headOne(t, p.environ(), p.sidecar, "sidecar")
			if code := codeOf(t, sidecar.Wait()); code != exitOK {
				t.Errorf("exit code %d after %q", code, first)
			}
			source.kill()
			if task := p.task(); task.Status != "SUCCESS" {
				t.Errorf("task %+v", task)
			}
		})
	}
}

// The other modes say why they failed by their exit code, also when nobody reads the line.
func TestExitCodesOutliveTheReaderOfTheLog(t *testing.T) {
	t.Parallel()
	programs := built(t)
	for args, want := range map[string]int{
		"init --copy-config /nowhere/from:/nowhere/to --stdout-pipe STDOUT --stderr-pipe STDERR": exitEnvironment,
		"exec --stdout-pipe none -- true": exitEnvironment,
		"run spec --exec /nowhere/source": exitEnvironment,
		"run --nope":                      exitUsage,
	} {
		t.Run(strings.Fields(args)[0], func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			reader, writer, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			command := exec.Command(programs.Sidecar, strings.Fields(strings.NewReplacer("STDOUT", dir+"/out", "STDERR", dir+"/err").Replace(args))...)
			command.Dir, command.Stdout, command.Stderr = dir, writer, writer
			if err := errors.Join(reader.Close(), command.Start(), writer.Close()); err != nil {
				t.Fatal(err)
			}
			if code := codeOf(t, command.Wait()); code != want {
				t.Errorf("exit code %d, want %d", code, want)
			}
		})
	}
}

// A connector whose reader goes away is ended by SIGPIPE, as programs expect: that we catch it, or that our parent ignored it, is not handed down.
func TestConnectorHasDefaultSIGPIPE(t *testing.T) {
	t.Parallel()
	for name, starter := range map[string]string{"as it is": "", "ignored by our parent": `trap "" PIPE; `} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPod(t, "spec", "")
			p.script(`grep SigIgn /proc/self/status >&2; echo '{"type":"SPEC","spec":{"connectionSpecification":{}}}'`)
			sidecar := p.startSidecar()
			p.spawn(nil, "/bin/sh", "-c", starter+`exec "$0" exec --stdout-pipe "$1" --stderr-pipe "$2" -- "$3" spec`,
				p.sidecar, p.path("stdout"), p.path("stderr"), p.source)
			got := outcome{sidecar.wait(), sidecar.stderr.String()}
			got.want(t, exitOK, "SigIgn:")
			_, rest, _ := strings.Cut(got.stderr, "SigIgn:")
			ignored, err := strconv.ParseUint(strings.Fields(rest)[0], 16, 64)
			if err != nil || ignored&(1<<(syscall.SIGPIPE-1)) != 0 {
				t.Errorf("the connector ignores %x, %v", ignored, err)
			}
		})
	}
}

// A signal that comes before the sidecar has looked at anything but its variables is a cancellation like any other: the task is not left RUNNING.
func TestSignalWhileStarting(t *testing.T) {
	t.Parallel()
	caught := make(chan os.Signal, 1) // by us, so that programs that we start do not ignore it where nohup started the tests
	signal.Notify(caught, syscall.SIGHUP)
	t.Cleanup(func() { signal.Stop(caught) })
	for name, test := range map[string]struct {
		signal syscall.Signal
		code   int
	}{"SIGTERM": {syscall.SIGTERM, exitSignal + 15}, "SIGINT": {syscall.SIGINT, exitSignal + 2}, "SIGHUP": {syscall.SIGHUP, exitSignal + 1}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPod(t, "read", `{}`)
			database := p.usePostgres()
			catalog := p.path("config/catalog.json")
			content, err := os.ReadFile(catalog)
			if err != nil {
				t.Fatal(err)
			}
			p.put("config/catalog.json", string(content)+strings.Repeat(" ", 64<<20)) // takes a while to read and to parse
			sidecar := p.startSidecar()
			awaitRead(t, sidecar.command.Process.Pid, 16<<20)
			sidecar.signal(test.signal)
			got := outcome{sidecar.wait(), sidecar.stderr.String()}
			got.want(t, test.code, "cancelled by "+name+" before the session began")
			query := `select status, error like 'cancelled by ` + name + ` before the session began%' from source_task`
			wantLines(t, "task", postgrestest.Query(t, database, query), "CANCELLED|t")
		})
	}
}

// awaitRead polls until the process has read so many bytes, by whatever means.
func awaitRead(t *testing.T, pid, bytes int) {
	t.Helper()
	deadline := time.Now().Add(podLimit)
	for time.Now().Before(deadline) {
		var read int
		counts, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/io")
		if err == nil {
			_, err = fmt.Sscanf(string(counts), "rchar: %d", &read)
		}
		if err != nil {
			t.Fatal(err)
		}
		if read >= bytes {
			return
		}
		time.Sleep(time.Millisecond) // polling with a deadline
	}
	t.Fatal("the process reads nothing")
}

// An init that waits for a Postgres that does not answer ends at a signal, in its own good order.
func TestSignalledInit(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	p := newPod(t, "read", `{}`).set("LOAD_STATE", "true", "SHUTDOWN_GRACE", "1s", "DATABASE_URL", "postgres://me:pw@"+listener.Addr().String()+"/d")
	init := p.spawn(p.environ(), p.sidecar, "init")
	connection, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	init.signal(syscall.SIGTERM)
	outcome{init.wait(), init.stderr.String()}.want(t, exitSignal+15, "cancelled by SIGTERM")
}
