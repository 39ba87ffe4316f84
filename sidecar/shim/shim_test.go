//go:build linux

package shim_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sync-sidecar/sidecar/pipe"
	"sync-sidecar/sidecar/shim"
)

func scanReady(line string, pid *int) (int, error) { return fmt.Sscanf(line, "ready %d", pid) }

func TestRunPassesOutputAndExitCode(t *testing.T) {
	for _, order := range []string{"stderr first", "stdout first"} {
		t.Run(order, func(t *testing.T) {
			f := newFixture(t, "talk", "read", "--config", "a b")
			f.start(t)
			paths := []string{f.StderrPipe, f.StdoutPipe}
			if order == "stdout first" {
				paths = []string{f.StdoutPipe, f.StderrPipe}
			}
			r := f.drain(t, f.open(t, paths...))
			code := f.wait(t)
			if r.out != "read --config a b\n" || r.err != "log\n" || code != 7 || r.status != finished(7, "") {
				t.Errorf("stdout %q, stderr %q, exit code %d, status %+v, log %q", r.out, r.err, code, r.status, f.output.String())
			}
		})
	}
}

// Whoever sees EOF on both pipes must find the exit status; a race would show here sooner or later.
func TestExitStatusIsThereAtEOF(t *testing.T) {
	for round := range 25 {
		f := newFixture(t, "talk")
		r, _ := f.run(t)
		if r.status != finished(7, "") {
			t.Fatalf("round %d: at EOF the status was %+v", round, r.status)
		}
	}
}

func TestRunAsAnotherUser(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root, to run as another user")
	}
	for _, user := range []uint32{1000, 65532} {
		f := newFixture(t, "talk", "x")
		f.user = user
		r, code := f.run(t)
		if r.out != "x\n" || code != 7 || r.status != finished(7, "") {
			t.Errorf("user %d: stdout %q, exit code %d, status %+v, log %q", user, r.out, code, r.status, f.output.String())
		}
	}
}

// A pipe that the connector inherits in non-blocking mode takes a part of a large write and refuses the rest.
func TestConnectorWritesInBlockingMode(t *testing.T) {
	f := newFixture(t, "flood")
	r, code := f.run(t)
	if code != 0 || len(r.out) != 3<<20 {
		t.Errorf("exit code %d, %d bytes, stderr %q", code, len(r.out), r.err)
	}
	// What the connector used is told beside its exit status: a Go program holds a few MiB.
	if usage := pipe.ReadUsage(f.ExitStatusFile); usage.MaxMemory < 1<<20 || usage.MaxMemory > 1<<30 || usage.CPU <= 0 {
		t.Errorf("it used %+v", usage)
	}
}

func TestSignalsReachTheWholeGroup(t *testing.T) {
	for _, number := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2} {
		name := unix.SignalName(number)
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, "listen")
			f.start(t)
			r := f.open(t)
			for range 2 {
				if line := readLine(t, r.stdout); line != "ready" {
					t.Fatal(line)
				}
			}
			if err := f.process.Process.Signal(number); err != nil {
				t.Fatal(err)
			}
			f.drain(t, r)
			code := f.wait(t)
			want := finished(9, "")
			if number == syscall.SIGTERM || number == syscall.SIGINT { // which the sidecar has to know of
				want.Stopped = name
			}
			if !strings.Contains(r.out, "parent got "+name) || !strings.Contains(r.out, "child got "+name) {
				t.Errorf("stdout %q, want both to have got %s", r.out, name)
			}
			if code != 9 || r.status != want {
				t.Errorf("exit code %d, status %+v: the connector handled the signal and chose 9", code, r.status)
			}
		})
	}
}

func TestSignalledConnector(t *testing.T) {
	for _, number := range []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM} {
		f := newFixture(t, "suicide", fmt.Sprint(int(number)))
		r, code := f.run(t)
		want := finished(128+int(number), unix.SignalName(number))
		if code != want.Code || r.status != want {
			t.Errorf("%v: exit code %d, status %+v, want %+v", number, code, r.status, want)
		}
	}
}

func TestOutOfMemoryIsTold(t *testing.T) {
	f := newFixture(t, "starve")
	events := f.MemoryEvents[1]
	f.Args = append(f.Args, events)
	if err := os.WriteFile(events, []byte("low 0\nmax 0\noom 0\noom_kill 0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r, code := f.run(t)
	if code != 137 || !r.status.OutOfMemory || r.status.Signal != "SIGKILL" {
		t.Errorf("exit code %d, status %+v, want 137, SIGKILL, out of memory", code, r.status)
	}
}

// What the connector leaves behind in its group would hold the pipes open for ever.
func TestGroupEndsWithTheConnector(t *testing.T) {
	f := newFixture(t, "leave")
	r, code := f.run(t)
	if code != 4 || r.status != finished(4, "") {
		t.Errorf("exit code %d, status %+v, want 4", code, r.status)
	}
}

func TestWhatCannotBeRun(t *testing.T) {
	tests := map[string]struct {
		args       []string
		entrypoint string
		code       int
		want       string
	}{
		"no program":      {[]string{"no-such-program"}, "", 127, `cannot run "no-such-program": no such program in PATH`},
		"a file beside":   {[]string{"shim_test.go"}, "", 127, "write ./shim_test.go"},
		"no file":         {[]string{"/nowhere/x"}, "", 127, "cannot run /nowhere/x: no such file"},
		"a folder":        {[]string{"/"}, "", 126, "cannot run /: it is a folder"},
		"no entrypoint":   {[]string{"read", "--config", "c"}, "", 127, `"read" is no program here, and there is no AIRBYTE_ENTRYPOINT`},
		"nothing":         {nil, " ", 127, "nothing to run"},
		"open quote":      {nil, `sh -c "`, 127, "cannot be split into words"},
		"no permission":   {[]string{"FOLDER/plain"}, "", 126, "make it executable (chmod +x)"},
		"no interpreter":  {[]string{"FOLDER/script"}, "", 127, "the interpreter or dynamic linker that it names is not"},
		"another machine": {[]string{"FOLDER/alien"}, "", 126, "is the image of another platform"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, "talk")
			folder := filepath.Dir(f.StdoutPipe)
			writeProgram(t, filepath.Join(folder, "plain"), "text", 0o644)
			writeProgram(t, filepath.Join(folder, "script"), "#!/nowhere/python\n", 0o755)
			writeProgram(t, filepath.Join(folder, "alien"), "\x7fELF but not really", 0o755)
			f.Args = nil
			for _, arg := range test.args {
				f.Args = append(f.Args, strings.Replace(arg, "FOLDER", folder, 1))
			}
			f.Entrypoint = test.entrypoint
			r, code := f.run(t)
			if code != test.code || r.status != finished(test.code, "") {
				t.Errorf("exit code %d, status %+v, want %d", code, r.status, test.code)
			}
			if !strings.HasPrefix(r.err, "sync-sidecar exec: ") || !strings.Contains(r.err, test.want) {
				t.Errorf("the stderr pipe says %q, want %q", r.err, test.want)
			}
			if !strings.Contains(f.output.String(), test.want) {
				t.Errorf("the container's log says %q, want %q", f.output.String(), test.want)
			}
		})
	}
}

func writeProgram(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

func TestReaderNeverComes(t *testing.T) {
	f := newFixture(t, "talk")
	f.OpenTimeout = 50 * time.Millisecond
	code, err := shim.Run(t.Context(), f.Spec)
	if code != 3 || err == nil || !strings.Contains(err.Error(), "nobody opened it for reading within 50ms: does the sidecar run") {
		t.Errorf("exit code %d, %v", code, err)
	}
	if !strings.Contains(err.Error(), f.StdoutPipe) && !strings.Contains(err.Error(), f.StderrPipe) {
		t.Errorf("%v names no pipe", err)
	}
	status, err := pipe.ReadExitStatus(f.ExitStatusFile)
	if err != nil || status != finished(3, "") {
		t.Errorf("status %+v, %v, want 3", status, err)
	}
}

func TestReaderOpensOnlyOnePipe(t *testing.T) {
	f := newFixture(t, "talk")
	f.OpenTimeout = time.Second
	f.start(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	stdout, err := pipe.OpenReader(ctx, f.StdoutPipe)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stdout.Read(make([]byte, 1)); err == nil {
		t.Error("read a byte, want EOF")
	}
	if err := stdout.Close(); err != nil {
		t.Error(err)
	}
	if code := f.wait(t); code != 3 || !strings.Contains(f.output.String(), f.StderrPipe) {
		t.Errorf("exit code %d, log %q, want 3 and the pipe that nobody opened", code, f.output.String())
	}
}

func TestSignalBeforeThePipesAreOpened(t *testing.T) {
	signals := make(chan os.Signal, 8)
	f := newFixture(t, "talk")
	f.Signals = signals
	signals <- syscall.SIGCHLD // is not about us
	signals <- syscall.SIGTERM
	code, err := shim.Run(t.Context(), f.Spec)
	if code != 143 || err == nil || !strings.Contains(err.Error(), "SIGTERM") {
		t.Errorf("exit code %d, %v", code, err)
	}
	status, err := pipe.ReadExitStatus(f.ExitStatusFile)
	if err != nil || status != finished(143, "SIGTERM") {
		t.Errorf("status %+v, %v", status, err)
	}
}

func TestPipesThatAreNotThere(t *testing.T) {
	f := newFixture(t, "talk")
	if err := os.Remove(f.StderrPipe); err != nil {
		t.Fatal(err)
	}
	code, err := shim.Run(t.Context(), f.Spec)
	if code != 3 || err == nil || !strings.Contains(err.Error(), "no pipe at "+f.StderrPipe) {
		t.Errorf("exit code %d, %v", code, err)
	}
}

func TestExitStatusThatCannotBeWritten(t *testing.T) {
	f := newFixture(t, "talk")
	f.ExitStatusFile = filepath.Join(filepath.Dir(f.StdoutPipe), "nowhere", "exit-status")
	r, code := f.run(t)
	if code != 7 || !strings.HasPrefix(r.out, "\n") {
		t.Errorf("exit code %d, stdout %q: the connector should have run as ever", code, r.out)
	}
	if !strings.Contains(r.err, "will be unknown to the sidecar") || !strings.Contains(r.err, f.ExitStatusFile) {
		t.Errorf("the stderr pipe says %q", r.err)
	}
}

// A sidecar that dies closes its ends; the connector gets SIGPIPE or EPIPE, and the shim comes to its end.
func TestReaderThatGoesAway(t *testing.T) {
	f := newFixture(t, "flood")
	f.start(t)
	r := f.open(t)
	if _, err := r.stdout.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	for _, file := range []*os.File{r.stdout, r.stderr} {
		if err := file.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if code := f.wait(t); code == 0 {
		t.Error("exit code 0, but the connector could not write")
	}
}
