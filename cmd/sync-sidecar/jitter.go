package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/urfave/cli/v2"
)

// startLater waits a random part of STARTUP_JITTER, so that a hundred syncs whose schedules say the same second do not all connect in it.
func startLater(c *cli.Context, env environment) error {
	most := c.Duration("startup-jitter")
	if most < 0 {
		return withCode(exitUsage, fmt.Errorf("STARTUP_JITTER (--startup-jitter) is %v: write a duration, as in 15s, or 0", most))
	}
	if most == 0 {
		return nil
	}
	wait := rand.N(most) //nolint:gosec // nobody gains anything by guessing it
	if _, err := fmt.Fprintf(env.stderr, "sync-sidecar: beginning in %v (STARTUP_JITTER=%v)\n", wait.Round(time.Millisecond), most); err != nil {
		return withCode(exitEnvironment, err)
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-c.Done():
		return errors.Join(errors.New("nothing was running: it waited for its start"), context.Cause(c.Context))
	}
}
