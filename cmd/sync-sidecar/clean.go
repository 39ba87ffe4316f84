package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v2"

	"sync-sidecar/cmd/sync-sidecar/console"
	"sync-sidecar/runner/docker"
	"sync-sidecar/runner/process"
)

// cleanCommand finds what killed runs left behind.
func cleanCommand(env environment) *cli.Command {
	return &cli.Command{
		Name:  "clean",
		Usage: "find, and with --remove remove, what killed runs left behind: containers, volumes, temporary folders",
		Description: "Nothing is removed without --remove. Rows, states and results stay in any case. The next run on this machine removes what is\n" +
			"dead, too; what was kept (run --keep), is of another machine, or is an image of another version of this program is removed only by its\n" +
			"own flag.",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "remove", Usage: "remove what is listed as removable"},
			&cli.BoolFlag{Name: "kept", Usage: "count what `run --keep` kept as removable"},
			&cli.BoolFlag{Name: "foreign", Usage: "count what runs of other machines made on this Engine as removable: nobody here knows whether they are over"},
			&cli.BoolFlag{Name: "images", Usage: "count images that were made from other versions of this program as removable"},
		},
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return withCode(exitUsage, fmt.Errorf("clean takes no arguments, but got %q", c.Args().First()))
			}
			ctx, stop := orExit(c.Context, env.signals)
			defer stop()
			c.Context = ctx
			return unlessSignalled(ctx, clean(c, env))
		},
	}
}

// clean lists leftovers, and removes those that are to go. A machine without an Engine has only folders.
func clean(c *cli.Context, env environment) error {
	local := &process.Runner{TempDir: env.getenv("TMPDIR")}
	folders, err := local.Leftovers()
	if err != nil {
		return withCode(exitEnvironment, err)
	}
	engine, engineErr := docker.New(c.Context, docker.Options{Daemon: daemonOf(env), Version: version(), Binary: env.executable})
	var things []docker.Leftover
	if engineErr == nil {
		defer engine.Close() //nolint:errcheck // nothing was sent that an error could lose
		if things, err = engine.Leftovers(c.Context); err != nil {
			return withCode(exitEnvironment, err)
		}
	} else if len(folders) == 0 {
		return withCode(exitEnvironment, engineErr)
	}
	removable := slices.DeleteFunc(slices.Clone(things), func(l docker.Leftover) bool { return !toGo(c, l) })
	if err := listLeftovers(env, things, folders, func(l docker.Leftover) bool { return toGo(c, l) }); err != nil {
		return withCode(exitEnvironment, fmt.Errorf("write the result: %w", err))
	}
	if engineErr != nil {
		fmt.Fprintln(env.stderr, console.Line("containers and volumes are not listed: "+engineErr.Error()))
	}
	if !c.Bool("remove") {
		if len(removable)+len(folders) > 0 {
			fmt.Fprintln(env.stderr, "nothing was removed: --remove does it")
		}
		return nil
	}
	var problems []error
	for _, folder := range folders {
		problems = append(problems, os.RemoveAll(folder))
	}
	if engineErr == nil {
		problems = append(problems, removeAll(c, engine, removable))
	}
	if err := errors.Join(problems...); err != nil {
		return withCode(exitEnvironment, fmt.Errorf("not all could be removed: %w", err))
	}
	return nil
}

// removeAll removes things, and what of their kind turns up meanwhile: an Engine goes on with what a run asked for before it was killed, and makes a
// container that was not there when they were listed.
func removeAll(c *cli.Context, engine *docker.Runner, things []docker.Leftover) error {
	const passes, pause = 5, 200 * time.Millisecond
	ctx := c.Context
	for pass := 1; ; pass++ {
		if len(things) == 0 {
			return nil
		}
		removing := engine.Remove(ctx, things)
		found, err := engine.Leftovers(ctx)
		if err != nil || pass == passes || ctx.Err() != nil {
			return errors.Join(removing, err)
		}
		things = slices.DeleteFunc(found, func(l docker.Leftover) bool { return !toGo(c, l) })
		if len(things) > 0 {
			select {
			case <-time.After(pause):
			case <-ctx.Done():
			}
		}
	}
}

// toGo says whether a thing is removable.
func toGo(c *cli.Context, thing docker.Leftover) bool {
	switch {
	case thing.Kind == docker.KindImage:
		return c.Bool("images")
	case thing.Fate == docker.FateKept:
		return c.Bool("kept")
	case thing.Fate == docker.FateForeign:
		return c.Bool("foreign")
	}
	return thing.Fate == docker.FateDead
}

// listLeftovers prints a table of all of them.
func listLeftovers(env environment, things []docker.Leftover, folders []string, removable func(docker.Leftover) bool) error {
	if len(things)+len(folders) == 0 {
		_, err := fmt.Fprintln(env.stdout, "nothing is left of any run")
		return err
	}
	table := tabwriter.NewWriter(env.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "what\tname\tsync\tmade\tstate\tremovable")
	row := func(kind, name, sync string, made time.Time, state string, goes bool) {
		age := "?"
		if !made.IsZero() {
			age = time.Since(made).Round(time.Second).String() + " ago"
		}
		answer := map[bool]string{true: "yes", false: "no"}[goes]
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", kind, console.Line(name), console.Line(sync), age, state, answer)
	}
	for _, thing := range things {
		state := map[docker.Fate]string{docker.FateDead: "its run was killed", docker.FateKept: "kept by --keep", docker.FateAlive: "in use",
			docker.FateForeign: "of another machine: " + strings.SplitN(thing.Machine, "/", 2)[0]}[thing.Fate]
		if thing.Kind == docker.KindImage {
			state = "made from another version"
		}
		if thing.Running && thing.Fate != docker.FateAlive {
			state += ", still running"
		}
		row(string(thing.Kind), thing.Name, thing.Sync, thing.Made, console.Line(state), removable(thing))
	}
	for _, folder := range folders {
		made := time.Time{}
		if info, err := os.Stat(folder); err == nil {
			made = info.ModTime()
		}
		row("folder", filepath.Clean(folder), "", made, "its run was killed", true)
	}
	return table.Flush()
}
