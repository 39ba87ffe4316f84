package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/urfave/cli/v2"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/logs"
	"sync-sidecar/sidecar/pipe"
	"sync-sidecar/sidecar/verdictfile"
)

// verdictFlags are the flags that exec and the sidecar share about the verdict on the shared volume.
func verdictFlags() []cli.Flag {
	return []cli.Flag{
		&cli.DurationFlag{Name: "verdict-timeout", EnvVars: []string{"VERDICT_TIMEOUT"}, Value: 10 * time.Minute,
			Usage: "after the connector's end: how long exec waits for the verdict of a sidecar that gives no sign of life"},
		&cli.BoolFlag{Name: "no-wait-verdict", EnvVars: []string{"NO_WAIT_VERDICT"},
			Usage: "exec ends when the connector does, as it did, and no verdict changes that"},
	}
}

// verdictFile is where the verdict is left, by flag or beside the stdout pipe.
func verdictFile(c *cli.Context) string {
	if path := c.String("verdict-file"); path != "" {
		return path
	}
	return filepath.Join(filepath.Dir(c.String("stdout-pipe")), "verdict.json")
}

// aliveEvery is the time between two signs of life of the sidecar.
const aliveEvery = 10 * time.Second

// errRestarted is the verdict on a session whose sidecar died: rows that it had read and not delivered are gone with it, so that nobody may go on
// reading (I1).
var errRestarted = errors.New("the sidecar was killed while it read the connector (out of memory? see its container's last state), and started " +
	"again: rows that it had not delivered are lost to this run; the next one goes on from the last saved state")

// verdictKeeper leaves the verdict for exec.
type verdictKeeper struct {
	writer     *verdictfile.Writer // nil when there is nowhere to leave it
	path       string
	exitStatus string
	earlier    verdictfile.Note // the verdict that a sidecar of this pod gave before this one
	midway     bool             // the connector runs already, and another sidecar began to read it
	noWait     bool
	timeout    time.Duration
	logger     *logs.Logger
	stopAlive  func()
}

// newVerdictKeeper takes hold of the verdict file, and says in it that the sidecar runs unless the verdict is given already. A verdict that cannot
// be left is no reason not to deliver: it is said.
func newVerdictKeeper(c *cli.Context, logger *logs.Logger) *verdictKeeper {
	k := &verdictKeeper{path: verdictFile(c), exitStatus: exitStatusFile(c), noWait: c.Bool("no-wait-verdict"), timeout: c.Duration("verdict-timeout"),
		logger: logger, stopAlive: func() {}}
	writer, earlier, err := verdictfile.Take(k.path)
	if errors.Is(err, verdictfile.ErrTaken) {
		logger.Debug(fmt.Sprintf("no verdict is left in VERDICT_FILE %s: %v", k.path, err))
		return k
	}
	// The kubelet starts a native sidecar again whose end it sees before that of exec, which has spent the verdict then. Only where exec is started
	// again in this place, too, or PREPARE comes before, is that one an earlier run's.
	over := earlier.Spent && !c.Bool("prepare") && !verdictfile.Awaited(k.path)
	if earlier.Final() && (earlier.Prepared() || over) {
		k.earlier = earlier
	}
	k.writer, k.midway = writer, verdictfile.ConnectorStarted(k.path)
	if !k.earlier.Final() {
		if err := writer.Begin(sidecar.Command(c.String("command"))); err != nil {
			logger.Warn(fmt.Sprintf("exec will not know the verdict: %v", err))
			return k
		}
	}
	k.stopAlive = keepAlive(c.Context, writer)
	return k
}

// keepAlive gives signs of life until the returned func is called.
func keepAlive(ctx context.Context, writer *verdictfile.Writer) func() {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var living sync.WaitGroup
	living.Go(func() {
		ticker := time.NewTicker(aliveEvery)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				if writer.Alive() != nil {
					return // whoever waits goes by the last sign
				}
			}
		}
	})
	return func() { cancel(); living.Wait() }
}

// conclude leaves the verdict, and waits until no exec needs this process any more: a native sidecar that ends before its Pod is started again.
func (k *verdictKeeper) conclude(ctx context.Context, report sidecar.Report) {
	k.stopAlive()
	if k.writer == nil {
		return
	}
	if err := k.writer.Conclude(report); err != nil {
		k.logger.Warn(fmt.Sprintf("exec does not know the verdict: %v", err))
	} else if !k.noWait {
		k.awaitExec(ctx)
	}
	if err := k.writer.Close(); err != nil {
		k.logger.Debug(err.Error())
	}
}

// awaitExec waits until the exec that waits for the verdict has ended. In a pod that init prepared for it, it may still come: its container starts
// after a native sidecar that could not begin.
func (k *verdictKeeper) awaitExec(ctx context.Context) {
	note, _, err := verdictfile.Read(k.path)
	mayCome := err == nil && note.Prepared()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	limit := time.After(k.timeout)
	for seen := false; ; {
		switch {
		case verdictfile.Awaited(k.path):
			seen = true
		case seen || !mayCome || k.execStarted():
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-limit:
			return
		case <-ticker.C:
		}
	}
}

// execStarted says that exec has been here. It waits for the verdict from before it says so, if it does.
func (k *verdictKeeper) execStarted() bool {
	status, err := pipe.ReadExitStatus(k.exitStatus)
	return err != nil || status.Phase != pipe.Absent
}
