package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"sync-sidecar/cmd/sync-sidecar/console"
	"sync-sidecar/runner"
	"sync-sidecar/sidecar"
)

// leftOpen is how long a run's output may stay open once it has ended: by a program that it left behind.
const leftOpen = 5 * time.Second

// run runs one sync as `run COMMAND NAME` would.
func (s *several) run(ctx context.Context, name string) endedRun {
	ended := endedRun{name: name, code: exitEnvironment}
	command := exec.CommandContext(context.WithoutCancel(ctx), s.mode.env.executable, s.mode.argumentsFor(name, s.outcome())...)
	var stdout bytes.Buffer
	stderr := &childLines{each: func(line string) { s.view.Line(name, line) }}
	command.Stdout, command.Stderr, command.WaitDelay = &stdout, stderr, leftOpen
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	outcome, err := s.begin(command)
	switch {
	case err != nil:
		ended.cause = err.Error()
		return ended
	case outcome == nil:
		ended.cause = "not begun"
		return ended
	}
	ended.begun = true
	s.view.Begin(name)
	defer func() { s.view.End(name, ended.code != exitOK) }()
	reading := make(chan *sidecar.Report, 1)
	go func() { // which closing it ends
		reading <- console.ReadEvents(outcome, func(event runner.Event) { s.view.Event(name, event) })
	}()
	err = command.Wait()
	s.mu.Lock()
	delete(s.running, command.Process)
	s.mu.Unlock()
	stderr.flush()
	ended.code, ended.stdout, ended.cause = codeOfProcess(command.ProcessState), stdout.Bytes(), stderr.last
	if err != nil && command.ProcessState == nil {
		ended.cause = err.Error()
	}
	ended.report = reportOf(outcome, reading)
	return ended
}

// reportOf is the report that a run has written; nil when it left none, as after a usage error.
func reportOf(outcome *os.File, reading <-chan *sidecar.Report) *sidecar.Report {
	late := time.AfterFunc(leftOpen, func() { _ = outcome.Close() })
	report := <-reading
	if late.Stop() {
		_ = outcome.Close()
	}
	return report
}

// begin starts a run, with a pipe that brings its report; nil when no more are to begin.
func (s *several) begin(command *exec.Cmd) (outcome *os.File, err error) {
	s.mu.Lock()
	stopped := s.stopped.Number != 0
	s.mu.Unlock()
	if stopped {
		return nil, nil
	}
	outcome, writes, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("make a pipe for its report: %w", err)
	}
	command.ExtraFiles = []*os.File{writes}
	if _, err = command.StdinPipe(); err == nil { // its end tells the run that this process is gone
		err = command.Start()
	}
	if closing := writes.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start it: %w", err), outcome.Close())
	}
	s.mu.Lock()
	s.running[command.Process] = true
	signal := s.stopped.Number
	s.mu.Unlock()
	if signal != 0 { // it came meanwhile, and perhaps not to this run
		_ = command.Process.Signal(syscall.Signal(signal)) //nolint:errcheck // it may just have ended
	}
	return outcome, nil
}

// outcome is what the runs are to tell.
func (s *several) outcome() string {
	if s.view.Live() {
		return outcomeEvents
	}
	return outcomeReport
}

// codeOfProcess is the exit code of a process, as a shell tells it.
func codeOfProcess(state *os.ProcessState) int {
	if state == nil {
		return exitEnvironment
	}
	if status, is := state.Sys().(syscall.WaitStatus); is && status.Signaled() {
		return exitSignal + int(status.Signal())
	}
	return state.ExitCode()
}

// argumentsFor are those of a run of one sync: the flags of this one, but for those that concern several.
func (m *runMode) argumentsFor(name, outcome string) []string {
	arguments := []string{"run", string(m.command)}
	for _, words := range m.env.flags {
		flag := flagNamed(m.cli.Command, strings.SplitN(words[0], "=", 2)[0])
		if flag == nil || !slices.Contains([]string{"all", "jobs", "output"}, flag.Names()[0]) {
			arguments = append(arguments, words...)
		}
	}
	return append(arguments, "--"+outcomeFlag, outcome, name)
}

// childLines hands each line that a run writes to stderr on.
type childLines struct {
	each func(line string)
	rest []byte
	last string // line of our own words
}

// Write implements io.Writer.
func (c *childLines) Write(text []byte) (int, error) {
	c.rest = append(c.rest, text...)
	for {
		line, rest, found := bytes.Cut(c.rest, []byte{'\n'})
		if !found {
			return len(text), nil
		}
		c.line(line)
		c.rest = rest
	}
}

// flush hands a last line without an end on.
func (c *childLines) flush() {
	if len(c.rest) > 0 {
		c.line(c.rest)
		c.rest = nil
	}
}

func (c *childLines) line(line []byte) {
	if words, own := strings.CutPrefix(string(line), "sync-sidecar: "); own {
		c.last = words
	}
	c.each(string(line))
}
