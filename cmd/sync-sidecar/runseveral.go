package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"sync-sidecar/cmd/sync-sidecar/console"
	"sync-sidecar/runner/project"
	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/logs"
)

// outcomeFlag names the file into which a run that is one of several writes its report.
const outcomeFlag = "outcome"

// leftOpen is how long a run's output may stay open once it has ended: by a program that it left behind.
const leftOpen = 5 * time.Second

// runSeveral runs syncs, each as a process of its own: what one does, and how it ends, is nothing to the others.
func (m *runMode) runSeveral(syncs []project.Sync) (err error) {
	if err := m.severalFlags(); err != nil {
		return withCode(exitUsage, err)
	}
	if err := m.resolvable(syncs); err != nil {
		return withCode(exitUsage, err)
	}
	folder, err := os.MkdirTemp(m.env.getenv("TMPDIR"), ".sync-sidecar-runs-")
	if err != nil {
		return withCode(exitEnvironment, fmt.Errorf("make a folder for the reports: %w", err))
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	lines := logs.NewConsole(m.env.stderr)
	defer lines.Close(closeTimeout)
	s := &several{mode: m, folder: folder, lines: lines, running: map[*os.Process]bool{}}
	for _, sync := range syncs {
		s.width = max(s.width, len(sync.Name))
	}
	ctx, end := untilSignal(m.cli.Context, m.env.signals, func(first sidecar.Signalled) {
		fmt.Fprintf(lines, "%s: stopping what runs, and beginning nothing more; again to end at once\n", first.Name)
		s.pass(first)
	}, s.pass)
	defer end()
	ended := make([]endedRun, len(syncs))
	ready := make(chan int, len(syncs)) // indexes, as they end
	go func() {
		var group errgroup.Group
		group.SetLimit(m.cli.Int("jobs"))
		for i, sync := range syncs {
			group.Go(func() error {
				ended[i] = s.run(ctx, sync.Name)
				ready <- i
				return nil
			})
		}
		_ = group.Wait() //nolint:errcheck // there is none: how each ended is in ended
		close(ready)
	}()
	for i := range ready {
		err = errors.Join(err, s.show(ended[i]))
	}
	if err := errors.Join(err, s.sumUp(ended)); err != nil {
		return withCode(exitEnvironment, fmt.Errorf("write the result: %w", err))
	}
	return cancelledBy(ctx, worst(ended))
}

// severalFlags says what has no meaning for several syncs.
func (m *runMode) severalFlags() error {
	var problems []error
	for _, flag := range []string{"sync-id", "report", "html", "state"} {
		if slices.Contains(m.env.given, flag) {
			problems = append(problems, fmt.Errorf("--%s is for one sync, and several are to run: say it in the project file", flag))
		}
	}
	if jobs := m.cli.Int("jobs"); jobs < 1 {
		problems = append(problems, fmt.Errorf("--jobs %d: write a number above zero", jobs))
	}
	return errors.Join(append(problems, m.checkOutput())...)
}

// several are runs under way.
type several struct {
	mode   *runMode
	folder string
	lines  *logs.Console
	width  int // of the longest name

	mu sync.Mutex
	// +checklocks:mu
	running map[*os.Process]bool
	// +checklocks:mu
	stopped sidecar.Signalled // after which nothing more begins; zero before
}

// endedRun is how a run ended.
type endedRun struct {
	name   string
	begun  bool
	code   int
	report *sidecar.Report // nil when it left none
	cause  string
	stdout []byte
}

// pass hands a signal on to the runs. They are in process groups of their own, so that a Ctrl-C does not reach them twice.
func (s *several) pass(signal sidecar.Signalled) {
	s.mu.Lock()
	s.stopped = signal
	running := slices.Collect(maps.Keys(s.running))
	s.mu.Unlock()
	for _, process := range running {
		_ = process.Signal(syscall.Signal(signal.Number)) //nolint:errcheck // it may just have ended
	}
}

// run runs one sync as `run COMMAND NAME` would.
func (s *several) run(ctx context.Context, name string) endedRun {
	ended := endedRun{name: name, code: exitEnvironment}
	outcome := filepath.Join(s.folder, name+".json")
	command := exec.CommandContext(context.WithoutCancel(ctx), s.mode.env.executable, s.mode.argumentsFor(name, outcome)...)
	var stdout bytes.Buffer
	stderr := &prefixed{out: s.lines, prefix: fmt.Sprintf("%-*s | ", s.width, name)}
	command.Stdout, command.Stderr, command.WaitDelay = &stdout, stderr, leftOpen
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	begun, err := s.begin(command)
	if !begun {
		ended.cause = "not begun"
		if err != nil {
			ended.cause = err.Error()
		}
		return ended
	}
	ended.begun = true
	err = command.Wait()
	s.mu.Lock()
	delete(s.running, command.Process)
	s.mu.Unlock()
	stderr.flush()
	ended.code, ended.stdout, ended.cause = codeOfProcess(command.ProcessState), stdout.Bytes(), stderr.last
	if err != nil && command.ProcessState == nil {
		ended.cause = err.Error()
	}
	content, err := os.ReadFile(outcome)
	report := sidecar.Report{}
	if err == nil && json.Unmarshal(content, &report) == nil { // a usage error leaves none
		ended.report = &report
	}
	return ended
}

// begin starts a run, unless no more are to begin.
func (s *several) begin(command *exec.Cmd) (begun bool, err error) {
	s.mu.Lock()
	stopped := s.stopped.Number != 0
	s.mu.Unlock()
	if stopped {
		return false, nil
	}
	if err := command.Start(); err != nil {
		return false, fmt.Errorf("start it: %w", err)
	}
	s.mu.Lock()
	s.running[command.Process] = true
	signal := s.stopped.Number
	s.mu.Unlock()
	if signal != 0 { // it came meanwhile, and perhaps not to this run
		_ = command.Process.Signal(syscall.Signal(signal)) //nolint:errcheck // it may just have ended
	}
	return true, nil
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

// show prints what a run wrote to stdout, once it has ended.
func (s *several) show(ended endedRun) error {
	if len(ended.stdout) == 0 || s.mode.cli.String("output") == outputJSON {
		return nil
	}
	_, err := fmt.Fprintf(s.mode.env.stdout, "== %s\n%s\n", ended.name, ended.stdout)
	return err
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

// worst is the error of several runs: its exit code is the worst of theirs.
func worst(ended []endedRun) error {
	code, failed := exitOK, []string{}
	for _, run := range ended {
		if severity(run.code) > severity(code) {
			code = run.code
		}
		if run.code != exitOK {
			failed = append(failed, run.name)
		}
	}
	if code == exitOK {
		return nil
	}
	return withCode(code, fmt.Errorf("%d of %d syncs did not succeed: %s", len(failed), len(ended), strings.Join(failed, ", ")))
}

// severity says which of two exit codes is worse: a signal, then what somebody has to mend, then what the source did.
func severity(code int) int {
	order := []int{exitOK, exitPartial, exitCheckFailed, exitTimeout, exitFailed, exitUsage, exitEnvironment}
	if at := slices.Index(order, code); at >= 0 {
		return at
	}
	return len(order)
}

// sumUp prints how all runs ended.
func (s *several) sumUp(ended []endedRun) error {
	if s.mode.cli.Bool("dry-run") {
		return nil
	}
	results := make([]console.RunResult, len(ended))
	for i, run := range ended {
		results[i] = console.RunResult{Sync: run.name, ExitCode: run.code, Begun: run.begun, Report: run.report, Cause: run.cause}
	}
	if s.mode.cli.String("output") == outputJSON {
		return console.WriteRunsJSON(s.mode.env.stdout, results)
	}
	return console.WriteRuns(s.mode.env.stdout, results)
}
