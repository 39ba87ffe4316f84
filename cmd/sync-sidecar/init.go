package main

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"sync-sidecar/runner"
	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/pipe"
	"sync-sidecar/sidecar/verdictfile"
	"sync-sidecar/sidecar/volume"
)

// unpackLimit is what configuration may become by unpacking unless the user says otherwise, in bytes: catalogs of tens of MB are known.
const unpackLimit = 256 << 20

// initCommand is the mode that prepares the shared volume before the connector and the sidecar start.
func initCommand(env environment) *cli.Command {
	return &cli.Command{
		Name:  "init",
		Usage: "make the named pipes, and what else the connector's container needs, on the shared volume",
		Description: "Makes both pipes usable by every user, whatever the umask, and removes the exit status and the verdict of an earlier run.\n" +
			"Running it again changes nothing; anything but a pipe at a pipe's path is an error.",
		Flags: append(append(pipeFlags(), sidecarFlags()...),
			&cli.BoolFlag{
				Name: "load-state", EnvVars: []string{"LOAD_STATE"},
				Usage: "also write STATE_FILE from what is saved for SYNC_ID, for read; without a saved state there is no file",
			},
			&cli.BoolFlag{Name: "take-share",
				Usage: "also leave in CATALOG_FILE the streams that are this shard's (SHARD of SHARDS), as the first shard shared them out in Postgres"},
			&cli.DurationFlag{
				Name: "startup-jitter", EnvVars: []string{"STARTUP_JITTER"},
				Usage: "wait a random part of this first, as in 15s: for many syncs that one server takes and one schedule starts",
			},
			&cli.StringFlag{Name: "command", EnvVars: []string{"COMMAND"}, Value: string(sidecar.CommandRead), Usage: "what the connector will be asked for"},
			&cli.StringFlag{
				Name:  "sidecar-user",
				Usage: "also let the user that the sidecar runs as, `UID:GID`, write into LOCAL_DIR, and load the state as that user; needs root",
			},
			&cli.StringFlag{
				Name: "place", EnvVars: []string{"PLACE_DIR"},
				Usage: "also put this binary into `FOLDER`, as sync-sidecar, for the connector's container to run `sync-sidecar exec`",
			},
			&cli.StringFlag{
				Name: "copy-config", EnvVars: []string{"COPY_CONFIG"},
				Usage: "also copy a read-only config folder into a writable one, `FROM:TO`, unpacking *.gz",
			},
			&cli.StringFlag{Name: "answer", Hidden: true, Usage: "answer `FILE`: how run finds out whether containers see a folder of its machine"},
			&cli.StringSliceFlag{Name: "same", Hidden: true, Usage: "give that answer only if `PATH=IDENTITY` is so: files of run --volume"},
			&cli.BoolFlag{
				Name: "forget-catalog", Hidden: true,
				Usage: "remove the catalog.json that an earlier run left in TO of COPY_CONFIG, where FROM has none: for sync-sidecar catalog --if-needed",
			},
			&cli.StringFlag{
				Name: "config-secrets", EnvVars: []string{"CONFIG_SECRETS"},
				Usage: "fill ${NAME} in the strings of the copied config.json in from the files of this `FOLDER`, as Compose mounts secrets in /run/secrets",
			},
			&cli.Int64Flag{
				Name: "copy-config-limit", EnvVars: []string{"COPY_CONFIG_LIMIT"}, Value: unpackLimit,
				Usage: "bytes that the *.gz of COPY_CONFIG may become together; 0 is no limit",
			},
		),
		Action: func(c *cli.Context) error {
			ctx, stop := orExit(c.Context, env.signals)
			defer stop()
			c.Context = ctx
			err := startLater(c, env)
			if err == nil {
				err = initVolume(c, env)
			}
			return recordUnprepared(c, env, unlessSignalled(ctx, err))
		},
	}
}

// initVolume does what init is for. Everything can be done again, so an error leaves nothing to undo.
func initVolume(c *cli.Context, env environment) error {
	if c.Args().Present() {
		return withCode(exitUsage, fmt.Errorf("init takes no arguments, but got %q", c.Args().First()))
	}
	from, to, err := copyConfigFolders(c.String("copy-config"))
	if err != nil {
		return withCode(exitUsage, err)
	}
	if limit := c.Int64("copy-config-limit"); limit < 0 {
		return withCode(exitUsage, fmt.Errorf("COPY_CONFIG_LIMIT is %d: write a number of bytes, or 0 for no limit", limit))
	}
	user, err := sidecarUser(c)
	if err != nil {
		return withCode(exitUsage, err)
	}
	if c.String("stdout-pipe") == c.String("stderr-pipe") {
		return withCode(exitUsage, fmt.Errorf("STDOUT_PIPE_FILE and STDERR_PIPE_FILE are both %s: two pipes are needed", c.String("stdout-pipe")))
	}
	if err := layOut(c, env); err != nil {
		return withCode(exitEnvironment, err)
	}
	if from != "" {
		if err := copyConfig(c, from, to); err != nil {
			return err
		}
	}
	if user != nil {
		if err := user.handOver(orPreset(c, "local-dir")); err != nil {
			return withCode(exitEnvironment, err)
		}
	}
	if from != "" {
		if err := useRotatedConfig(c, to, runner.RotatedConfig); err != nil {
			return withCode(exitEnvironment, err)
		}
	}
	return forRead(c, env)
}

// forRead prepares the files that only a read has.
func forRead(c *cli.Context, env environment) error {
	const read = string(sidecar.CommandRead)
	if cmp.Or(c.String("command"), read) != read {
		return nil
	}
	if c.Bool("take-share") {
		if err := takeShare(c, env); err != nil {
			return err
		}
	}
	if c.Bool("load-state") {
		return loadState(c, env)
	}
	return nil
}

// layOut makes the pipes, removes what an earlier run left beside them, and places the program itself where that is asked for.
func layOut(c *cli.Context, env environment) error {
	if question := c.String("answer"); question != "" && seesAll(c.StringSlice("same")) {
		if err := volume.Answer(question); err != nil {
			return err
		}
	}
	// Compose runs init again beside a connector that it takes for one of the new run, and then starts none.
	if verdictfile.Awaited(verdictFile(c)) {
		return fmt.Errorf("%w (its exec holds %s): stop its container, then start again", errStillRuns, verdictFile(c))
	}
	for _, path := range []string{c.String("stdout-pipe"), c.String("stderr-pipe")} {
		if err := pipe.Make(path); err != nil {
			return err
		}
	}
	folder := c.String("place")
	prepare := verdictfile.Remove
	if folder != "" {
		prepare = verdictfile.Prepare
	}
	if err := errors.Join(pipe.RemoveExitStatus(exitStatusFile(c)), prepare(verdictFile(c))); err != nil {
		return err
	}
	if folder == "" {
		return nil
	}
	_, err := volume.Place(env.executable, folder)
	return err
}

// seesAll says that each PATH=IDENTITY holds.
func seesAll(claims []string) bool {
	for _, claim := range claims {
		at := strings.LastIndexByte(claim, '=')
		if at < 0 || !volume.Same(claim[:at], claim[at+1:]) {
			return false
		}
	}
	return true
}

// sidecarUser is the user of --sidecar-user; nil when it is not given.
func sidecarUser(c *cli.Context) (*userID, error) {
	value := c.String("sidecar-user")
	if value == "" {
		return nil, nil
	}
	user, err := parseUser(value)
	return &user, err
}

// copyConfigFolders splits FROM:TO; both are empty when nothing is to be copied.
func copyConfigFolders(value string) (from, to string, err error) {
	if value == "" {
		return "", "", nil
	}
	from, to, found := strings.Cut(value, ":")
	if !found || from == "" || to == "" || strings.Contains(to, ":") {
		return "", "", fmt.Errorf("COPY_CONFIG (--copy-config) is %q: write FROM:TO, as in /secret:/config", value)
	}
	return from, to, nil
}
