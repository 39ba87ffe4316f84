package session

import (
	"context"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"

	"sync-sidecar/sidecar/logs"
)

const (
	awaitFirst = 200 * time.Millisecond // before the second attempt
	awaitMax   = 5 * time.Second        // between two attempts
)

// Await tries to reach a server at the start, again and again while canPass says of an error that waiting may help, until limit is over or ctx ends.
// The wait is said once.
func Await(ctx context.Context, limit time.Duration, logger *logs.Logger, canPass func(error) bool, try func(context.Context) error) error {
	bounded, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	wait := backoff.NewExponentialBackOff()
	wait.InitialInterval, wait.MaxInterval = awaitFirst, awaitMax
	for told := false; ; told = true {
		err := try(bounded)
		switch {
		case err == nil || ctx.Err() != nil || !canPass(err):
			return err
		case bounded.Err() != nil:
			return fmt.Errorf("%w (waited %v, STARTUP_TIMEOUT)", err, limit)
		case !told:
			logger.Warn(fmt.Sprintf("%v: waiting up to %v (STARTUP_TIMEOUT)", err, limit))
		}
		select {
		case <-time.After(wait.NextBackOff()):
		case <-bounded.Done():
			if ctx.Err() != nil {
				return err
			}
			return fmt.Errorf("%w (waited %v, STARTUP_TIMEOUT)", err, limit)
		}
	}
}
