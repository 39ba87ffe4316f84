package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"sync-sidecar/sidecar/pipe"
	"sync-sidecar/sidecar/proctest"
)

// usage is what a run cost.
type usage struct {
	wall time.Duration
	cpu  time.Duration // user and system, of the process and of those that it waited for
	peak int64         // bytes of memory, of the process and those below it together
}

// process is a program that is being measured.
type process struct {
	command *exec.Cmd
	output  *bytes.Buffer // stderr, for when it fails
	ended   chan struct{}
	err     error // how it ended
	peak    chan int64
}

// start starts a program, and watches its memory.
func start(command *exec.Cmd) (*process, error) {
	p := &process{command: command, output: &bytes.Buffer{}, ended: make(chan struct{}), peak: make(chan int64, 1)}
	if command.Stderr == nil {
		command.Stderr = p.output
	}
	command.WaitDelay = 10 * time.Second
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
	if err := command.Start(); err != nil {
		return nil, err
	}
	go p.watch()
	go func() {
		defer close(p.ended)
		p.err = command.Wait()
	}()
	return p, nil
}

// wait waits until the program ends; the time is the caller's to measure.
func (p *process) wait() (usage, error) {
	<-p.ended
	used := usage{peak: <-p.peak, cpu: p.command.ProcessState.UserTime() + p.command.ProcessState.SystemTime()}
	return used, p.failure()
}

// failure is how a program failed that has ended.
func (p *process) failure() error {
	if p.err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w\n%s", filepath.Base(p.command.Path), p.err, tail(p.output.String()))
}

// openPipe opens a pipe that the program reads, and gives up when the program ends before.
func (p *process) openPipe(ctx context.Context, path string) (*os.File, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-p.ended:
			cancel()
		case <-ctx.Done():
		}
	}()
	file, err := pipe.OpenWriter(ctx, path)
	select {
	case <-p.ended:
		err = errors.Join(err, p.failure())
	default:
	}
	return file, err
}

// stop ends a program that runs until it is told to.
func (p *process) stop() error {
	if err := p.command.Process.Signal(os.Interrupt); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	_, err := p.wait()
	return err
}

func tail(text string) string {
	const most = 3000
	return text[max(0, len(text)-most):]
}

// watch samples the memory.
func (p *process) watch() {
	const interval = 50 * time.Millisecond // a look at every thread costs the kernel time that what is measured would use
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	var peak int64
	for {
		peak = max(peak, resident(p.command.Process.Pid))
		select {
		case <-ticker.C:
		case <-p.ended:
			p.peak <- peak
			return
		}
	}
}

// resident is the memory of a process: while it has none below it, the highest it ever was; else what all of them have now, where the files that they
// map, such as a program's, count once, with the largest.
func resident(pid int) int64 {
	family := descendants(pid)
	if len(family) == 1 {
		return proctest.HighWater(pid)
	}
	var own, mapped int64
	for _, member := range family {
		total, shared := pages(member)
		own += total - shared
		mapped = max(mapped, shared)
	}
	return (own + mapped) * int64(os.Getpagesize())
}

// descendants are a process and those below it.
func descendants(pid int) []int {
	family := []int{pid}
	lists, err := filepath.Glob(filepath.Join("/proc", strconv.Itoa(pid), "task", "*", "children"))
	if err != nil {
		return family
	}
	for _, list := range lists {
		children, err := os.ReadFile(list)
		if err != nil {
			continue // the thread has gone
		}
		for _, child := range strings.Fields(string(children)) {
			if number, err := strconv.Atoi(child); err == nil {
				family = append(family, descendants(number)...)
			}
		}
	}
	return family
}

// pages reads how many pages a process has, and how many of them are of files, see proc(5) on statm; 0 when it has gone.
func pages(pid int) (total, shared int64) {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "statm"))
	if err != nil {
		return 0, 0
	}
	var size int64
	if _, err := fmt.Sscan(string(text), &size, &total, &shared); err != nil {
		return 0, 0
	}
	return total, shared
}

// server is a bulker-test-server in a process of its own.
type server struct {
	*process
	url string
}

// startServer starts one that keeps its files in the scratch folder.
func startServer(ctx context.Context, o options, arguments ...string) (*server, error) {
	folder, err := os.MkdirTemp(o.scratch, "server-")
	if err != nil {
		return nil, err
	}
	command := exec.CommandContext(ctx, filepath.Join(o.programs, "bulker-test-server"), append([]string{"-dir", folder}, arguments...)...)
	stdout, err := command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p, err := start(command)
	if err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	url, found := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
	if err != nil || !found {
		return nil, errors.Join(fmt.Errorf("bulker-test-server said %q", line), err, p.stop())
	}
	return &server{process: p, url: url}, nil
}
