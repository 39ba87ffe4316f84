package main

import (
	"fmt"

	"github.com/urfave/cli/v2"
)

// manCommand prints the manual page, with every option of every command.
func manCommand(env environment) *cli.Command {
	return &cli.Command{
		Name: "man", Usage: "print the manual page",
		Description: "sync-sidecar man | man -l -                                                    # read it\n" +
			"sync-sidecar man | sudo tee /usr/local/share/man/man1/sync-sidecar.1 >/dev/null    # install it",
		Action: func(*cli.Context) error {
			env.helpAll = true
			page, err := newApp(env).ToManWithSection(1)
			if err == nil {
				_, err = fmt.Fprint(env.stdout, page)
			}
			if err != nil {
				return withCode(exitEnvironment, fmt.Errorf("print the manual page: %w", err))
			}
			return nil
		},
	}
}
