package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"
)

// window is a real terminal, of tmux, in which a command line runs and leaves its exit code in a file.
type window struct {
	*commandLine
	socket string
}

// newWindow needs tmux. In CI that is there: then its absence is a failure, not a reason to skip.
func newWindow(t *testing.T) *window {
	t.Helper()
	line := newCommandLine(t)
	_, err := exec.LookPath("tmux")
	needs(t, err == nil, "tmux")
	v := &window{commandLine: line, socket: fmt.Sprintf("sync-sidecar-%d-%d", os.Getpid(), time.Now().UnixNano())}
	t.Cleanup(func() { _, _ = v.tmux("kill-server") }) // it has ended with its last session, as a rule
	return v
}

// tmux runs a command of a server of our own, without the user's configuration.
func (v *window) tmux(args ...string) (string, error) {
	command := exec.Command("tmux", append([]string{"-L", v.socket, "-f", "/dev/null"}, args...)...)
	command.Env = append(os.Environ(), "TERM=xterm-256color", "LC_ALL=C.UTF-8")
	output, err := command.CombinedOutput()
	return string(output), err
}

// open runs the demo source in a terminal of so many columns, through a shell that stays afterwards.
func (v *window) open(columns int, config string) {
	v.t.Helper()
	v.openLine(columns, fmt.Sprintf("run read --exec '%s' --config '%s' --grace 2s", v.programs.Demo, config))
}

// openLine does the same with the words of a command line.
func (v *window) openLine(columns int, words string) {
	v.t.Helper()
	script := filepath.Join(v.dir, "script")
	text := fmt.Sprintf("#!/bin/sh\ntrap : INT\necho $$ >pid\n'%s' %s\necho $? >code.part\nmv code.part code\nexec sleep 60\n", v.programs.Sidecar, words)
	if err := os.WriteFile(script, []byte(text), 0o700); err != nil {
		v.t.Fatal(err)
	}
	output, err := v.tmux("new-session", "-d", "-x", strconv.Itoa(columns), "-y", "24", "-c", v.dir, script)
	if err != nil {
		v.t.Fatalf("%v: %s", err, output)
	}
}

// screen is what a person sees.
func (v *window) screen() string {
	v.t.Helper()
	text, err := v.tmux("capture-pane", "-p")
	if err != nil {
		v.t.Fatalf("%v: %s", err, text)
	}
	return strings.TrimRight(text, "\n")
}

// until waits until the screen is as wanted.
func (v *window) until(what string, wanted func(screen string) bool) string {
	v.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) { // polling with a deadline
		screen := v.screen()
		if wanted(screen) {
			return screen
		}
		if time.Now().After(deadline) {
			v.t.Fatalf("%s: not on the screen\n%s", what, screen)
		}
	}
}

// code waits for the exit code of the run, and says how long that took.
func (v *window) code() (code string, after time.Duration) {
	v.t.Helper()
	begun := time.Now()
	for ; time.Since(begun) < 30*time.Second; time.Sleep(10 * time.Millisecond) { // polling with a deadline
		if text, err := os.ReadFile(filepath.Join(v.dir, "code")); err == nil {
			return strings.TrimSpace(string(text)), time.Since(begun)
		}
	}
	v.t.Fatalf("the run has not ended\n%s", v.screen())
	return "", 0
}

var liveLine = regexp.MustCompile(`read ([0-9,]+) rows, delivered .* rows/s`)

// liveRows are the rows that the live block shows; "" when there is none.
func liveRows(screen string) string {
	found := liveLine.FindStringSubmatch(screen)
	if found == nil {
		return ""
	}
	return found[1]
}

const slowConfig = `{"count":100000,"rate":500,"emit_estimates":true,"interleave":true,"records_per_state":50}`

// TestLiveViewInATerminal: the block moves, is drawn anew where the window has another width, and is gone after Ctrl-C, with the result in its place.
func TestLiveViewInATerminal(t *testing.T) {
	t.Parallel()
	v := newWindow(t)
	v.open(100, slowConfig)
	first := v.until("progress", func(screen string) bool { return liveRows(screen) != "" && strings.Contains(screen, "orders") })
	v.until("progress that moves", func(screen string) bool { return liveRows(screen) != "" && liveRows(screen) != liveRows(first) })
	for _, columns := range []int{50, 120} {
		if output, err := v.tmux("resize-window", "-x", strconv.Itoa(columns), "-y", "24"); err != nil {
			t.Fatalf("%v: %s", err, output)
		}
		before := liveRows(v.screen())
		screen := v.until("progress after the window changed", func(screen string) bool {
			rows := regexp.MustCompile(`read ([0-9,]+) rows`).FindStringSubmatch(screen)
			return rows != nil && rows[1] != before
		})
		screen = v.until("one block", func(screen string) bool {
			return strings.Count(screen, "rows, deliver") == 1 && strings.Count(screen, "  orders ") == 1
		}) + "\n" + screen
		for line := range strings.Lines(screen) {
			if utf8.RuneCountInString(strings.TrimRight(line, "\n")) > columns {
				t.Errorf("a line is wider than %d columns: %s", columns, line)
			}
		}
	}
	if output, err := v.tmux("send-keys", "C-c"); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	if code, _ := v.code(); code != strconv.Itoa(exitSignal+int(syscall.SIGINT)) {
		t.Errorf("exit code %s", code)
	}
	screen := v.until("the result", func(screen string) bool { return strings.Contains(screen, "sync-sidecar: cancelled") })
	if liveRows(screen) != "" || !strings.Contains(screen, "SIGINT: stopping the connector") || strings.Count(screen, "  customers ") != 1 {
		t.Errorf("the block is still there, or the result is not\n%s", screen)
	}
}

// TestTwoInterruptionsEndAtOnce also where the terminal takes no more output (Ctrl-S) and nobody reads what is written.
func TestTwoInterruptionsEndAtOnce(t *testing.T) {
	t.Parallel()
	for name, stopped := range map[string]bool{"a terminal": false, "a terminal that is stopped": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := newWindow(t)
			v.open(100, `{"count":100000,"rate":500,"faults":{"ignore_sigterm":true}}`)
			v.until("progress", func(screen string) bool { return liveRows(screen) != "" })
			if stopped {
				if output, err := v.tmux("send-keys", "C-s"); err != nil {
					t.Fatalf("%v: %s", err, output)
				}
				v.interruptTwice()
			} else if output, err := v.tmux("send-keys", "C-c", "C-c"); err != nil {
				t.Fatalf("%v: %s", err, output)
			}
			code, after := v.code()
			if code != strconv.Itoa(exitSignal+int(syscall.SIGINT)) || after > 5*time.Second {
				t.Errorf("exit code %s after %s", code, after)
			}
		})
	}
}

// TestSeveralRunsInATerminal: each that is under way has its line, which moves; results come above them, and after Ctrl-C they are gone.
func TestSeveralRunsInATerminal(t *testing.T) {
	t.Parallel()
	v := newWindow(t)
	v.file("sync-sidecar.yaml", `
defaults: {exec: `+v.programs.Demo+`, grace: 2s}
syncs:
  small: {config: {count: 30}}
  people: {config: {count: 100000, rate: 500, emit_estimates: true}}
  orders: {config: {count: 100000, rate: 500}}
  later: {config: {count: 10}}
`)
	v.openLine(100, "run --all --jobs 2")
	lines := regexp.MustCompile(`(?m)^  people +([0-9,]+) rows .*rows/s, about .* left\n(?:.*\n)?  orders +([0-9,]+) rows`)
	rows := func(screen string) string {
		found := lines.FindStringSubmatch(screen)
		if found == nil {
			return ""
		}
		return found[1] + " " + found[2]
	}
	first := v.until("progress of both", func(screen string) bool { return rows(screen) != "" })
	if !strings.Contains(first, "1 of 4 syncs ended, 1 not begun") || !strings.Contains(first, "== small") ||
		regexp.MustCompile(`\| .*rows/s`).MatchString(first) {
		t.Errorf("the sum or the first result is missing, or there are plain lines\n%s", first)
	}
	v.until("progress that moves", func(screen string) bool { return rows(screen) != "" && rows(screen) != rows(first) })
	if output, err := v.tmux("send-keys", "C-c"); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	if code, _ := v.code(); code != strconv.Itoa(exitSignal+int(syscall.SIGINT)) {
		t.Errorf("exit code %s", code)
	}
	screen := v.until("the table", func(screen string) bool { return strings.Contains(screen, "3 of 4 syncs did not succeed") })
	if rows(screen) != "" || !strings.Contains(screen, "NOT BEGUN") || strings.Count(screen, "of 4 syncs ended") != 0 {
		t.Errorf("the block is still there, or the table is not\n%s", screen)
	}
}

// interruptTwice sends SIGINT to the run: Ctrl-C itself would let the terminal go on (n_tty's isig starts the tty).
func (v *window) interruptTwice() {
	v.t.Helper()
	text, err := os.ReadFile(filepath.Join(v.dir, "pid"))
	if err != nil {
		v.t.Fatal(err)
	}
	children, err := exec.CommandContext(v.t.Context(), "pgrep", "-P", strings.TrimSpace(string(text))).Output()
	if err != nil {
		v.t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(children)))
	if err != nil {
		v.t.Fatal(err)
	}
	for range 2 {
		if err := syscall.Kill(pid, syscall.SIGINT); err != nil {
			v.t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond) // two signals at once are one
	}
}
