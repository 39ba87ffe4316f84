package main

import (
	"errors"
	"fmt"

	"github.com/urfave/cli/v2"

	"sync-sidecar/sidecar"
)

// settleCommand is for a run that is over, and knows of a Pod that came to no verdict.
func settleCommand(env environment) *cli.Command {
	return &cli.Command{
		Name: "settle", Usage: "record the end of a task where nobody has, and nobody is at work on it",
		Flags:  append(sidecarFlags(), &cli.StringFlag{Name: "status", Value: string(sidecar.StatusFailed), Usage: "what to record"}),
		Action: func(c *cli.Context) error { return settle(c, env) },
	}
}

func settle(c *cli.Context, env environment) (err error) {
	ctx, stop := orExit(c.Context, env.signals)
	defer stop()
	s, err := readSettings(c, env, sidecar.CommandRead)
	if err == nil {
		err = s.readDestinationConfig()
	}
	if err != nil {
		return withCode(exitUsage, err)
	}
	masker := newMasker(s)
	logger, console := newLogs(env, s, masker)
	defer console.Close(closeTimeout)
	stores, err := openStores(ctx, s, logger, true)
	defer func() {
		if failure := errors.Join(err, stores.close(ctx, closeTimeout)); failure != nil {
			err = unlessSignalled(ctx, maskedError(masker, withCode(codeOr(failure, exitEnvironment), failure)))
		}
	}()
	if err != nil {
		return err
	}
	settler, able := stores.journal.(sidecar.Settler)
	if !able {
		return withCode(exitUsage, fmt.Errorf("%s cannot record the end of a task", stores.journal))
	}
	return settler.Settle(ctx, sidecar.Status(c.String("status")))
}
