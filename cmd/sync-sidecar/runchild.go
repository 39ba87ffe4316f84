package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/logs"
)

// outcomeFlag says that a run is one of several: it writes its report to outcomeFile, a pipe, and ends when its stdin does.
const (
	outcomeFlag = "outcome"
	outcomeFile = 3 // the first one behind stderr (exec.Cmd.ExtraFiles)
)

// leftOpen is how long a run's output may stay open once it has ended: by a program that it left behind.
const leftOpen = 5 * time.Second

// run runs one sync as `run COMMAND NAME` would.
func (s *several) run(ctx context.Context, name string) endedRun {
	ended := endedRun{name: name, code: exitEnvironment}
	command := exec.CommandContext(context.WithoutCancel(ctx), s.mode.env.executable, s.mode.argumentsFor(name)...)
	var stdout bytes.Buffer
	stderr := &prefixed{out: s.lines, prefix: fmt.Sprintf("%-*s | ", s.width, name)}
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
	reading := make(chan []byte, 1)
	go func() {
		text, err := io.ReadAll(outcome) // which closing it ends
		if err != nil {
			text = nil
		}
		reading <- text
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
func reportOf(outcome *os.File, reading <-chan []byte) *sidecar.Report {
	late := time.AfterFunc(leftOpen, func() { _ = outcome.Close() })
	text := <-reading
	if late.Stop() {
		_ = outcome.Close()
	}
	report := sidecar.Report{}
	if json.Unmarshal(text, &report) != nil {
		return nil
	}
	return &report
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

// endWithParent has a run that is one of several end, as at SIGTERM, when whoever started it is gone: killed, it can pass no signal on.
func (m *runMode) endWithParent() {
	if !m.cli.Bool(outcomeFlag) {
		return
	}
	syscall.CloseOnExec(outcomeFile) // or whatever this run leaves behind would keep it open
	go func() {                      // until the process ends
		_, _ = io.Copy(io.Discard, m.env.stdin) //nolint:errcheck // an error is an end, too
		select {
		case m.env.signals <- syscall.SIGTERM:
		default: // enough signals wait
		}
	}()
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
func (m *runMode) argumentsFor(name string) []string {
	arguments := []string{"run", string(m.command)}
	for _, words := range m.env.flags {
		flag := flagNamed(m.cli.Command, strings.SplitN(words[0], "=", 2)[0])
		if flag == nil || !slices.Contains([]string{"all", "jobs", "output"}, flag.Names()[0]) {
			arguments = append(arguments, words...)
		}
	}
	return append(arguments, "--"+outcomeFlag, name)
}

// prefixed writes lines behind a prefix.
type prefixed struct {
	out    *logs.Console
	prefix string
	rest   []byte
	last   string // line of our own words
}

// Write implements io.Writer.
func (p *prefixed) Write(text []byte) (int, error) {
	p.rest = append(p.rest, text...)
	for {
		line, rest, found := bytes.Cut(p.rest, []byte{'\n'})
		if !found {
			return len(text), nil
		}
		p.line(line)
		p.rest = rest
	}
}

// flush writes a last line without an end.
func (p *prefixed) flush() {
	if len(p.rest) > 0 {
		p.line(p.rest)
		p.rest = nil
	}
}

func (p *prefixed) line(line []byte) {
	if words, own := strings.CutPrefix(string(line), "sync-sidecar: "); own {
		p.last = words
	}
	fmt.Fprintf(p.out, "%s%s\n", p.prefix, line)
}
