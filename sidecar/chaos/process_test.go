package chaos

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// process is a program that can be killed at any moment.
type process struct {
	command *exec.Cmd
	output  lockedBuffer
	done    chan struct{}
	code    int // once done: the exit code, 128+n for a signal
}

// lockedBuffer takes stdout and stderr at once.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// start runs a program of this project in a process group of its own.
func start(t testing.TB, env []string, name string, args ...string) *process {
	t.Helper()
	p := &process{command: exec.Command(filepath.Join(programs(t), name), args...), done: make(chan struct{})}
	p.command.Env = env
	p.command.Stdout, p.command.Stderr = &p.output, &p.output
	p.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL} // a test that is killed leaves nothing behind
	p.command.WaitDelay = 10 * time.Second
	started := make(chan error, 1)
	go func() {
		defer close(p.done)
		// Linux takes the end of the thread that started a process for the death of its parent (prctl(2), PR_SET_PDEATHSIG).
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.command.Start()
		started <- err
		if err != nil {
			return
		}
		err = p.command.Wait()
		status, _ := p.command.ProcessState.Sys().(syscall.WaitStatus)
		p.code = status.ExitStatus()
		if status.Signaled() {
			p.code = 128 + int(status.Signal())
		} else if err != nil && p.code == 0 {
			p.code = -1
		}
	}()
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	return p
}

// kill ends the program and everything that it started, at once.
func (p *process) kill() {
	select {
	case <-p.done: // its number may be somebody else's by now
		return
	default:
	}
	if err := syscall.Kill(-p.command.Process.Pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		panic(err) // a test bug: the group is ours
	}
	<-p.done
}

// killTree also ends what the program started in groups of their own, as the end of a container does.
func (p *process) killTree(t testing.TB) {
	t.Helper()
	// A child is listed with the thread that started it.
	lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", p.command.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, list := range lists {
		children, err := os.ReadFile(list)
		if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ESRCH) {
			t.Fatal(err)
		}
		for _, child := range strings.Fields(string(children)) {
			n, err := strconv.Atoi(child)
			if err == nil {
				err = syscall.Kill(-n, syscall.SIGKILL)
			}
			if err != nil && !errors.Is(err, syscall.ESRCH) {
				t.Fatal(err)
			}
		}
	}
}

// endsWithin says whether the program ends by itself.
func (p *process) endsWithin(limit time.Duration) bool {
	select {
	case <-p.done:
		return true
	case <-time.After(limit):
		return false
	}
}

// wait gives the exit code.
func (p *process) wait(t testing.TB, limit time.Duration) int {
	t.Helper()
	select {
	case <-p.done:
		return p.code
	case <-time.After(limit):
		t.Fatalf("%s did not end within %v; it printed:\n%s", p.command.Args, limit, p.output.String())
		return 0
	}
}

// signal sends one to the program itself; that it has ended meanwhile is no error.
func (p *process) signal(t testing.TB, signal syscall.Signal) {
	t.Helper()
	if err := p.command.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Fatal(err)
	}
}

// bulkerProcess is the Bulker test server: its data outlives it.
type bulkerProcess struct {
	t       testing.TB
	dir     string
	address string
	args    []string
	*process
}

func startBulker(t testing.TB, args ...string) *bulkerProcess {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &bulkerProcess{t: t, dir: t.TempDir(), address: listener.Addr().String(), args: args}
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	b.restart()
	return b
}

// fresh starts the server anew for another test, without data.
func (b *bulkerProcess) fresh(t testing.TB) {
	t.Helper()
	b.kill()
	b.t, b.dir = t, t.TempDir()
	b.restart()
}

// stop ends the server, if there is one.
func (b *bulkerProcess) stop() {
	if b.process != nil {
		b.kill()
	}
}

// restart starts the server on its address and waits until it listens.
func (b *bulkerProcess) restart() {
	b.t.Helper()
	for range 50 {
		b.process = start(b.t, nil, "bulker-test-server", append([]string{"-addr", b.address, "-dir", b.dir}, b.args...)...)
		if b.listens() {
			return
		}
		b.kill()
	}
	b.t.Fatalf("the Bulker test server does not start: %s", b.output.String())
}

func (b *bulkerProcess) listens() bool {
	deadline := time.Now().Add(10 * time.Second)
	for time.Now().Before(deadline) {
		select {
		case <-b.done:
			return false // its port is still taken
		default:
		}
		if strings.Contains(b.output.String(), "listening") {
			return true
		}
		<-time.After(2 * time.Millisecond)
	}
	return false
}

// lines splits NDJSON.
func lines(text string) []string {
	var all []string
	scanner := bufio.NewScanner(strings.NewReader(text))
	scanner.Buffer(nil, 64<<20)
	for scanner.Scan() {
		all = append(all, scanner.Text())
	}
	return all
}
