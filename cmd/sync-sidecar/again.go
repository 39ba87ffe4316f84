package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"sync-sidecar/runner"
	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/atomicfile"
	"sync-sidecar/sidecar/pipe"
)

// A sidecar whose container is restarted in place, as Compose does and Kubernetes does for a sidecar container, runs without init before it. PREPARE
// lets it do that part itself, and EVERY makes of the restarts a schedule. The connector's container is restarted beside it: `exec` waits there until
// the pipes are opened, and that happens last.

// lastBeginFile, beside the stdout pipe, holds when the last session began: what EVERY counts from, also after a restart.
const lastBeginFile = "last-begin"

// againFlags are the flags of a sidecar that is started again and again on one volume.
func againFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "prepare", EnvVars: []string{"PREPARE"},
			Usage: "do first what init does between two sessions: make the pipes, forget how the connector ended, write STATE_FILE for read"},
		&cli.DurationFlag{Name: "every", EnvVars: []string{"EVERY"},
			Usage: "begin only so long after the last session on this volume began, as in 1h; for a container that is restarted when it ends"},
	}
}

// awaitTurn waits until EVERY has passed since the last session began, and notes that this one begins. It says whether it waited.
func awaitTurn(ctx context.Context, c *cli.Context, env environment) (waited bool, err error) {
	every := c.Duration("every")
	if every < 0 {
		return false, withCode(exitUsage, fmt.Errorf("EVERY (--every) is %v: write a duration above zero, as in 1h", every))
	}
	if every == 0 {
		return false, nil
	}
	path := filepath.Join(filepath.Dir(c.String("stdout-pipe")), lastBeginFile)
	now := time.Now()
	due, err := dueAfter(path, every, now)
	if err != nil {
		return false, withCode(exitEnvironment, err)
	}
	if waited = due.After(now); waited {
		if _, err := fmt.Fprintf(env.stderr, "sync-sidecar: the next %s begins at %s (EVERY=%v)\n",
			c.String("command"), due.Format(time.RFC3339), every); err != nil {
			return true, withCode(exitEnvironment, err)
		}
		timer := time.NewTimer(time.Until(due))
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return true, unlessSignalled(ctx, errors.New("nothing was running: it waited for its next turn"))
		}
	}
	if err := atomicfile.Replace(path, []byte(time.Now().UTC().Format(time.RFC3339Nano)+"\n"), 0o644); err != nil {
		return waited, withCode(exitEnvironment, fmt.Errorf("note when this session began: %w", err))
	}
	return waited, nil
}

// dueAfter is when the next session may begin: now, where none has begun yet, or where the file's time lies ahead and so a clock was wrong.
func dueAfter(path string, every time.Duration, now time.Time) (time.Time, error) {
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return now, nil
	}
	if err != nil {
		return now, fmt.Errorf("read when the last session began: %w", err)
	}
	if last, ok := parseTime(strings.TrimSpace(string(content))); ok && !last.After(now) {
		return last.Add(every), nil
	}
	return now, nil
}

// parseTime reads a time; false where it is none, as in a file that somebody else wrote.
func parseTime(text string) (time.Time, bool) {
	parsed, err := time.Parse(time.RFC3339Nano, text)
	return parsed, err == nil
}

// prepare does between two sessions on one volume what init does before the first.
func prepare(c *cli.Context, env environment) error {
	if !c.Bool("prepare") {
		return nil
	}
	for _, path := range []string{c.String("stdout-pipe"), c.String("stderr-pipe")} {
		if err := pipe.Make(path); err != nil {
			return withCode(exitEnvironment, err)
		}
	}
	// "running" is of an `exec` that was restarted before us and waits.
	status, err := pipe.ReadExitStatus(exitStatusFile(c))
	if err == nil && status.Phase == pipe.Finished {
		err = pipe.RemoveExitStatus(exitStatusFile(c))
	}
	if err != nil {
		return withCode(exitEnvironment, err)
	}
	err = adoptRotatedConfig(c)
	if err == nil {
		err = useRotatedConfig(c, filepath.Dir(orPreset(c, "config-file")), runner.CurrentConfig)
	}
	if err != nil {
		return withCode(exitEnvironment, err)
	}
	if c.String("command") != string(sidecar.CommandRead) {
		return nil
	}
	return loadState(c, env)
}
