package recording

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sync/errgroup"
)

// longestPause bounds the pauses that a player keeps.
const longestPause = time.Minute

// Play says again what the recording in dir holds, as the connector did, and returns the exit code that it ended with. Output comes as fast as it is
// read; the pauses after the last output, and after the order to stop, are kept. The end of ctx is that order: a recording that was stopped waits for
// it where it came, another one ends at it.
func Play(ctx context.Context, dir string, stdout, stderr io.Writer) (int, error) {
	summary, err := Read(dir)
	if err != nil {
		return 0, err
	}
	var both errgroup.Group
	both.Go(func() error { return copyOutput(context.WithoutCancel(ctx), dir, StderrFile, stderr, -1) })
	both.Go(func() error {
		if summary.Stop == nil || summary.Enough && summary.Stop.Bytes == 0 {
			return copyOutput(ctx, dir, StdoutFile, stdout, -1)
		}
		return playStopped(ctx, dir, summary, stdout)
	})
	if err := both.Wait(); err != nil {
		if errors.Is(err, context.Canceled) {
			return 128 + 15, nil // stopped, as a connector is
		}
		return 0, err
	}
	if !summary.Exit.Known { // it was killed: whoever plays it will do so too
		return pause(ctx, longestPause, 128+9), nil
	}
	after := summary.Seconds - summary.LastOutput
	if summary.Stop != nil {
		after = summary.Seconds - max(summary.Stop.Seconds, summary.LastOutput)
	}
	return pause(context.WithoutCancel(ctx), min(longestPause, time.Duration(after*float64(time.Second))), summary.Exit.Code), nil
}

// pause waits, and is the code.
func pause(ctx context.Context, long time.Duration, code int) int {
	timer := time.NewTimer(long)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		<-timer.C // what ignored the order once does so again
	}
	return code
}

// playStopped writes what came before the order to stop, waits for it, and writes the rest.
func playStopped(ctx context.Context, dir string, summary Recording, stdout io.Writer) error {
	if err := copyOutput(context.WithoutCancel(ctx), dir, StdoutFile, stdout, summary.Stop.Bytes); err != nil {
		return err
	}
	timer := time.NewTimer(longestPause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
		return errors.New("the order to stop, which this recording got, did not come")
	}
	file, err := Output(dir, StdoutFile)
	if err != nil {
		return err
	}
	defer file.Close()
	if _, err := file.Seek(summary.Stop.Bytes, io.SeekStart); err != nil {
		return fmt.Errorf("play the recording: %w", err)
	}
	return write(context.WithoutCancel(ctx), file, stdout)
}

// copyOutput writes the first bytes of an output, or with -1 all.
func copyOutput(ctx context.Context, dir, name string, to io.Writer, bytes int64) error {
	file, err := Output(dir, name)
	if err != nil {
		return err
	}
	defer file.Close()
	if bytes < 0 {
		return write(ctx, file, to)
	}
	return write(ctx, io.LimitReader(file, bytes), to)
}

// write copies until the end of ctx.
func write(ctx context.Context, from io.Reader, to io.Writer) error {
	_, err := io.Copy(to, readerFunc(func(p []byte) (int, error) {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		return from.Read(p)
	}))
	if err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("play the recording: %w", err)
	}
	return err
}

type readerFunc func([]byte) (int, error)

// Read reads.
func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// Exists says whether there is a recording in dir.
func Exists(dir string) bool {
	_, err := os.Stat(dir + string(os.PathSeparator) + summaryFile)
	return err == nil
}
