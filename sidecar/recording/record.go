package recording

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"sync-sidecar/sidecar/airbyte"
	"sync-sidecar/sidecar/pipe"
)

// Options say what to record, and for how long.
type Options struct {
	StdoutPipe, StderrPipe string
	ExitStatusFile         string
	Dir                    string // of the recording; made when missing
	Limit                  Limit
	MaxBytes               int64 // of each output that are kept
	// OpenTimeout bounds the wait for the connector to open its pipes, Silence the time without any output, Timeout the whole.
	OpenTimeout, Silence, Timeout time.Duration
	// Grace bounds what comes after the order to stop.
	Grace time.Duration
	// Enough is called once, when the limit is reached. From then on nothing is read until the order to stop, so that the connector waits.
	Enough func()
}

// The pauses of a recording that has enough: stopWait is how long it waits for the order to stop, holdAfter how long after it the connector is left
// waiting, so that the order reaches it in the middle of its work.
const (
	stopWait  = 10 * time.Second
	holdAfter = 700 * time.Millisecond
	// narrow is the size of the pipe of a recording that stops at the first record: a connector whose rows all fit into the pipe has ended by then.
	narrow = 4 << 10
	// drainTime bounds the wait for stderr's end after stdout's, and the other way round.
	drainTime = 5 * time.Second
)

// ErrSilent and ErrTimeout are why a recording ended before the connector did.
var (
	ErrSilent  = errors.New("the connector said nothing for too long")
	ErrTimeout = errors.New("the connector took too long")
)

// Record records the connector that opens the pipes, until it has ended. The end of ctx is the order to stop: somebody tells the connector then, and
// its output is recorded to its end. The recording is in the folder when Record returns, beside an error of the deadlines, too.
func Record(ctx context.Context, options Options) (Recording, error) {
	if err := os.MkdirAll(options.Dir, 0o755); err != nil {
		return Recording{}, fmt.Errorf("make the folder of the recording: %w", err)
	}
	stdout, stderr, err := openPipes(ctx, options)
	if err != nil {
		return Recording{}, err
	}
	r := &recorder{options: options, started: time.Now(), stdout: stdout, stderr: stderr, enough: make(chan struct{})}
	recorded, err := r.run(ctx)
	err = errors.Join(err, stdout.Close(), stderr.Close())
	if written := recorded.Write(options.Dir); written != nil {
		return recorded, errors.Join(err, written)
	}
	return recorded, err
}

// openPipes opens both at the same time, since the connector may open them in any order. Stderr waits only for a stdout that is to be made narrow:
// the shim starts the connector when it has both, so that nothing is in the pipe before.
func openPipes(ctx context.Context, options Options) (stdout, stderr *os.File, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, options.OpenTimeout, fmt.Errorf("the connector did not open its pipes within %s", options.OpenTimeout))
	defer cancel()
	group, ctx := errgroup.WithContext(ctx)
	narrowed := make(chan struct{})
	group.Go(func() (err error) {
		defer close(narrowed)
		if stdout, err = pipe.OpenReader(ctx, options.StdoutPipe); err == nil && options.Limit.First {
			pipe.Narrow(stdout, narrow)
		}
		return err
	})
	group.Go(func() (err error) {
		if options.Limit.First {
			<-narrowed
		}
		stderr, err = pipe.OpenReader(ctx, options.StderrPipe)
		return err
	})
	if err := group.Wait(); err != nil {
		for _, file := range []*os.File{stdout, stderr} {
			if file != nil {
				err = errors.Join(err, file.Close())
			}
		}
		return nil, nil, err
	}
	return stdout, stderr, nil
}

// recorder is one recording on its way.
type recorder struct {
	options Options
	started time.Time
	stdout  *os.File
	stderr  *os.File
	enough  chan struct{} // closed when the limit is reached
	last    atomic.Int64  // when the last byte came, in nanoseconds from the start
	limited bool
	held    float64

	mu sync.Mutex
	// +checklocks:mu
	stop *Mark
	out  *output
}

func (r *recorder) now() float64 { return time.Since(r.started).Seconds() }

// run records both outputs to their ends, or until a deadline.
func (r *recorder) run(ctx context.Context) (Recording, error) {
	out, err := newOutput(filepath.Join(r.options.Dir, StdoutFile), r.options.MaxBytes)
	if err != nil {
		return Recording{}, err
	}
	errs, err := newOutput(filepath.Join(r.options.Dir, StderrFile), r.options.MaxBytes)
	if err != nil {
		return Recording{}, errors.Join(err, out.close())
	}
	r.out = out
	watching, stopWatching := context.WithCancel(context.WithoutCancel(ctx))
	watched := make(chan error, 1)
	go func() { watched <- r.watch(ctx, watching) }()
	var both errgroup.Group
	both.Go(func() error {
		err := r.messages(ctx, &tee{recorder: r, from: r.stdout, to: out, marks: true})
		return errors.Join(err, r.stderr.SetReadDeadline(time.Now().Add(drainTime)))
	})
	both.Go(func() error {
		_, err := io.Copy(io.Discard, &tee{recorder: r, from: r.stderr, to: errs})
		return passed(err)
	})
	err = both.Wait()
	stopWatching()
	err = errors.Join(err, <-watched, out.close(), errs.close())
	return r.summary(out, errs), err
}

// messages reads stdout as messages, so that the limit can be told, and keeps its bytes on the way.
func (r *recorder) messages(ctx context.Context, stdout io.Reader) error {
	reader := airbyte.NewReader(stdout, airbyte.Options{})
	limit := newLimiter(r.options.Limit)
	for {
		message, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return passed(err)
		}
		if r.limited || ctx.Err() != nil || !limit.take(message) {
			continue
		}
		r.limited = true
		close(r.enough)
		r.options.Enough()
		r.hold(ctx)
	}
}

// hold lets the connector wait until it was told to stop.
func (r *recorder) hold(ctx context.Context) {
	timer := time.NewTimer(stopWait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		r.held = holdAfter.Seconds()
		timer.Reset(holdAfter)
		<-timer.C
	case <-timer.C:
	}
}

// passed is an error of a read that was not ended by a deadline of ours.
func passed(err error) error {
	if err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		return nil
	}
	return fmt.Errorf("read the connector's output: %w", err)
}

// watch ends the reading when the connector is silent, or takes too long, and notes the order to stop.
func (r *recorder) watch(ctx, watching context.Context) error {
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	stopped, until := ctx.Done(), r.started.Add(r.options.Timeout)
	cause := ErrTimeout
	var known time.Time // since when it has been known how the connector ended
	for {
		select {
		case <-watching.Done():
			return nil
		case <-stopped:
			stopped, cause = nil, nil
			r.mu.Lock()
			r.stop = &Mark{Seconds: r.now(), Bytes: r.out.size.Load()}
			r.mu.Unlock()
			until = time.Now().Add(r.options.Grace)
		case <-ticker.C:
			silent := time.Since(r.started.Add(time.Duration(r.last.Load())))
			if stopped != nil && !r.isHeld() && silent > r.options.Silence {
				return errors.Join(fmt.Errorf("%w (%s)", ErrSilent, r.options.Silence), r.giveUp())
			}
			if time.Now().After(until) {
				return errors.Join(cause, r.giveUp())
			}
			if known.IsZero() && r.exit().Known {
				known = time.Now()
			}
			// Something that the connector started holds its output open. What it wrote itself is read by then.
			if !known.IsZero() && time.Since(known) > drainTime && silent > drainTime {
				return r.giveUp()
			}
		}
	}
}

func (r *recorder) isHeld() bool {
	select {
	case <-r.enough:
		return true
	default:
		return false
	}
}

// giveUp ends both reads.
func (r *recorder) giveUp() error {
	return errors.Join(r.stdout.SetReadDeadline(time.Now()), r.stderr.SetReadDeadline(time.Now()))
}

// summary is what is known at the end.
func (r *recorder) summary(out, errs *output) Recording {
	r.mu.Lock()
	defer r.mu.Unlock()
	return Recording{StartedAt: r.started.UTC(), Seconds: r.now(), StdoutBytes: out.size.Load(), StderrBytes: errs.size.Load(),
		Truncated: out.truncated || errs.truncated, Marks: out.marks, LastOutput: time.Duration(r.last.Load()).Seconds(), Enough: r.limited,
		Stop: r.stop, Held: r.held, Exit: r.exit(), Open: !out.ended || !errs.ended}
}

// exit is how the connector ended, as the shim says.
func (r *recorder) exit() Exit {
	status, err := pipe.ReadExitStatus(r.options.ExitStatusFile)
	if err != nil || status.Phase != pipe.Finished {
		return Exit{}
	}
	usage := pipe.ReadUsage(r.options.ExitStatusFile)
	return Exit{Known: true, Code: status.Code, Signal: status.Signal, OutOfMemory: status.OutOfMemory, MaxMemory: usage.MaxMemory,
		CPUSeconds: usage.CPU.Seconds()}
}
