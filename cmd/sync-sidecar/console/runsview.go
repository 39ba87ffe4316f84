package console

import (
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"sync-sidecar/runner"
	"sync-sidecar/runner/figure"
	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/logs"
)

// RunsView shows several runs on stderr: on a terminal a block with a line or two for each that is under way, and above it what they say. Its methods
// may be called from several goroutines.
type RunsView struct {
	live  bool
	width int           // of the longest name
	out   *logs.Console // of the block

	closing chan struct{} // closed by Close
	ticking sync.WaitGroup

	mu sync.Mutex
	// +checklocks:mu
	block block
	// +checklocks:mu
	running []*runScene // in the order in which they began
	// +checklocks:mu
	waiting int
	// +checklocks:mu
	ended int
	// +checklocks:mu
	failed int
	// +checklocks:mu
	apart bool // something else is being printed: nothing is drawn
}

// runScene is what is shown of a run.
type runScene struct {
	name   string
	begun  time.Time
	report *sidecar.Report
	last   runner.Line
}

// NewRunsView shows runs of these names on out. Close it at the end.
func NewRunsView(out io.Writer, options Options, names []string) *RunsView {
	block := newBlock(out, options.Term)
	block.live = block.live && !options.Quiet
	v := &RunsView{live: block.live, out: block.out, closing: make(chan struct{}), block: block, waiting: len(names)}
	for _, name := range names {
		v.width = max(v.width, columns(visible(name)))
	}
	if v.live {
		v.ticking.Go(v.tick)
	}
	return v
}

// tick moves the clocks of runs that say nothing.
func (v *RunsView) tick() {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			v.mu.Lock()
			v.redraw()
			v.mu.Unlock()
		case <-v.closing:
			return
		}
	}
}

// Live says that progress is drawn over.
func (v *RunsView) Live() bool { return v.live }

// Begin says that a run has begun.
func (v *RunsView) Begin(name string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.running = append(v.running, &runScene{name: name, begun: time.Now()})
	v.waiting--
	v.redraw()
}

// End says that a run has ended.
func (v *RunsView) End(name string, failed bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.running = slices.DeleteFunc(v.running, func(run *runScene) bool { return run.name == name })
	v.ended++
	if failed {
		v.failed++
	}
	v.redraw()
}

// Event shows how far a run is, or what it said last.
func (v *RunsView) Event(name string, event runner.Event) {
	v.mu.Lock()
	defer v.mu.Unlock()
	at := slices.IndexFunc(v.running, func(run *runScene) bool { return run.name == name })
	switch {
	case at < 0:
		return
	case event.Report != nil:
		v.running[at].report = event.Report
	case event.Usage == nil:
		v.running[at].last = event.Log
	}
	v.redraw()
}

// Line prints a line that a run wrote.
func (v *RunsView) Line(name, line string) {
	v.Say(padded(visible(name), v.width) + " | " + line)
}

// Say prints a line.
func (v *RunsView) Say(line string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.block.clear()
	v.block.print(line)
	v.redraw()
}

// Apart takes the block off the screen while something else is printed, perhaps to the same terminal. It waits no longer than patience for what is
// to be written before.
func (v *RunsView) Apart(patience time.Duration, other func() error) error {
	v.mu.Lock()
	v.block.clear()
	v.apart = true
	v.mu.Unlock()
	v.out.Flush(patience)
	err := other()
	v.mu.Lock()
	defer v.mu.Unlock()
	v.apart = false
	v.redraw()
	return err
}

// Close waits, for as long as patience, until the terminal has taken the last lines.
func (v *RunsView) Close(patience time.Duration) {
	close(v.closing)
	v.ticking.Wait()
	v.mu.Lock()
	v.block.clear()
	v.mu.Unlock()
	v.out.Close(patience)
}

// redraw draws the block anew.
//
// +checklocks:v.mu
func (v *RunsView) redraw() {
	switch {
	case v.apart:
	case len(v.running) == 0:
		v.block.clear()
	default:
		v.block.draw(v.lines(time.Now()), []string{v.sum()})
	}
}

// lines are those of the runs under way: two of each while there are few, else one.
//
// +checklocks:v.mu
func (v *RunsView) lines(now time.Time) []string {
	var lines []string
	for i, run := range v.running {
		if i == maxLive {
			return append(lines, fmt.Sprintf("  … and %s under way", figure.Count(len(v.running)-maxLive, "more sync")))
		}
		lines = append(lines, fmt.Sprintf("  %s  %s", padded(visible(run.name), v.width), run.line(now)))
		if run.last.Message != "" && 2*len(v.running) <= maxLive {
			lines = append(lines, padded("", v.width+4)+lastLine(run.last))
		}
	}
	return lines
}

// line is how far a run is.
func (r *runScene) line(now time.Time) string {
	if r.report == nil {
		return fmt.Sprintf("under way for %s", now.Sub(r.begun).Truncate(time.Second))
	}
	read, estimated, bytes, known := totals(*r.report)
	line := fmt.Sprintf("%12s rows  ", figure.Thousands(read))
	known = known && read > 0
	if known {
		line += bar(read, estimated)
	} else {
		line += noBar()
	}
	line += "  "
	for _, stream := range r.report.Streams {
		if text := waiting(stream); text != "" {
			line += text + ", "
			break
		}
	}
	line += fmt.Sprintf("%s, %s, %s rows/s", figure.Clock(r.report.Seconds), figure.Size(bytes), rate(read, r.report.Seconds))
	if known {
		line += fmt.Sprintf(", about %s left", figure.Clock(left(*r.report, read, estimated)))
	}
	return line
}

// sum is how many have ended, and how many have not begun.
//
// +checklocks:v.mu
func (v *RunsView) sum() string {
	line := fmt.Sprintf("%d of %s ended", v.ended, figure.Count(v.ended+len(v.running)+v.waiting, "sync"))
	if v.failed > 0 {
		line += fmt.Sprintf(" (%d without success)", v.failed)
	}
	if v.waiting > 0 {
		line += fmt.Sprintf(", %d not begun", v.waiting)
	}
	return line
}
