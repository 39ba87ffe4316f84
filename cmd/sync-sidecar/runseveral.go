package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sync/errgroup"

	"sync-sidecar/cmd/sync-sidecar/console"
	"sync-sidecar/runner/project"
	"sync-sidecar/sidecar"
)

// runSeveral runs syncs, each as a process of its own: what one does, and how it ends, is nothing to the others.
func (m *runMode) runSeveral(syncs []project.Sync) (err error) {
	if err := m.severalFlags(); err != nil {
		return withCode(exitUsage, err)
	}
	if err := m.resolvable(syncs); err != nil {
		return withCode(exitUsage, err)
	}
	names := make([]string, len(syncs))
	for i, sync := range syncs {
		names[i] = sync.Name
	}
	s := &several{mode: m, view: console.NewRunsView(m.env.stderr, m.shown(), names), running: map[*os.Process]bool{}}
	defer s.view.Close(closeTimeout)
	ctx, end := untilSignal(m.cli.Context, m.env.signals, func(first sidecar.Signalled) {
		s.view.Say(first.Name + ": stopping what runs, and beginning nothing more; again to end at once")
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
	mode *runMode
	view *console.RunsView

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

// show prints what a run wrote to stdout, once it has ended.
func (s *several) show(ended endedRun) error {
	if len(ended.stdout) == 0 || s.mode.cli.String("output") == outputJSON {
		return nil
	}
	return s.view.Apart(flushTimeout, func() error {
		_, err := fmt.Fprintf(s.mode.env.stdout, "== %s\n%s\n", ended.name, ended.stdout)
		return err
	})
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
	return s.view.Apart(flushTimeout, func() error {
		if s.mode.cli.String("output") == outputJSON {
			return console.WriteRunsJSON(s.mode.env.stdout, results)
		}
		return console.WriteRuns(s.mode.env.stdout, results)
	})
}
