package main

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"sync-sidecar/runner"
	"sync-sidecar/runner/manifest"
	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/session"
)

// manifestCommand is the mode that writes what a cluster has to be given.
func manifestCommand(env environment) *cli.Command {
	kubernetes := &cli.Command{
		Name: "kubernetes", Usage: "print a Pod, Job or CronJob with a connector and the sidecar as YAML", ArgsUsage: "[IMAGE]",
		Description: "sync-sidecar manifest kubernetes --kind CronJob --schedule '15 * * * *' --config config.json IMAGE | kubectl apply -f -\n\n" +
			"The options are those of run; see docs/kubernetes.md. Without --catalog the Pod asks the connector for its streams.",
		Flags:  manifestFlags(),
		Action: func(c *cli.Context) error { return printManifest(c, env) },
		OnUsageError: func(_ *cli.Context, err error, _ bool) error {
			return withCode(exitUsage, fmt.Errorf("%w; see sync-sidecar manifest kubernetes --help", err))
		},
	}
	return &cli.Command{Name: "manifest", Usage: "print what runs a connector elsewhere", Subcommands: []*cli.Command{kubernetes}}
}

// manifestFlags are those of run that concern the connector, the Pod's, and the sidecar's, which are passed through.
func manifestFlags() []cli.Flag {
	const group = groupKubernetes
	flags := []cli.Flag{
		&cli.StringFlag{Name: "command", Category: groupConnector, EnvVars: []string{"COMMAND"}, Value: string(sidecar.CommandRead),
			Usage: "what the connector is asked for: spec, check, discover or read"},
	}
	flags = append(flags, only(connectorFlags(sidecar.CommandRead), "image", "env", "env-file", "grace", "timeout", "sync-id", "config", "catalog",
		"streams", "sync-mode", "cursor", "primary-key", "state", "no-state", "full-refresh")...)
	flags = append(flags, only(dockerFlags(), "entrypoint", "pull", "sidecar-image")...)
	flags = append(flags, podFlags()...)
	flags = append(flags,
		&cli.StringFlag{Name: "kind", Category: group, Value: string(manifest.KindJob), Usage: "Pod, Job or CronJob"},
		&cli.StringFlag{Name: "name", Category: group, Usage: "`NAME` of the objects (default: made of the sync's)"},
		&cli.StringFlag{Name: "schedule", Category: group, Usage: "of a CronJob, as in '15 * * * *'"},
		&cli.StringFlag{Name: "time-zone", Category: group, Usage: "of the schedule, as in Europe/Berlin (default: the cluster's)"},
		&cli.IntFlag{Name: "history-limit", Category: group, Value: 3, Usage: "how many successful Jobs a CronJob keeps"},
		&cli.IntFlag{Name: "failed-history-limit", Category: group, Value: 3, Usage: "how many failed Jobs a CronJob keeps"},
		&cli.DurationFlag{Name: "starting-deadline", Category: group, Usage: "how late a CronJob may start a run (default: at any time)"},
		&cli.BoolFlag{Name: "replace-running", Category: group, Usage: "let a CronJob's next run end the one before, where otherwise it is left out"},
		&cli.IntFlag{Name: "backoff-limit", Category: group,
			Usage: fmt.Sprintf("how often a Job tries a failed sync again; with --shards each of them (default: %d)", shardAttempts)},
		&cli.DurationFlag{Name: "startup-jitter", Category: group, Value: cronJobJitter,
			Usage: "wait a random part of this at the start of each run of a CronJob: many begin in the same second"},
		&cli.DurationFlag{Name: "active-deadline", Category: group, Usage: "until Kubernetes ends the run (default: TASK_TIMEOUT_HOURS and 15m)"},
		&cli.DurationFlag{Name: "ttl", Category: group, Usage: "until a finished Job is removed (default: never)"},
		&cli.BoolFlag{Name: "plain", Category: group, Usage: "make the sidecar a second container, not a native sidecar: for Kubernetes before 1.29"},
		&cli.StringFlag{Name: "data-pvc", Category: group, Usage: "PersistentVolume`CLAIM` for rows, results and state that no server takes"},
		&cli.StringFlag{Name: "secret", Category: group, Usage: "`NAME` of a Secret that is there already, with config.json in it; none is printed"},
		&cli.StringSliceFlag{Name: "secret-key", Category: group, Usage: "`VARIABLE` that --secret holds, as in DATABASE_URL; repeat it"},
		&cli.BoolFlag{Name: "network-policy", Category: group, Usage: "print a NetworkPolicy: nobody in, out to name servers and anywhere but the cloud's metadata"},
		&cli.StringSliceFlag{Name: "egress", Category: group, Usage: "`CIDR` that the NetworkPolicy lets out to, in place of anywhere; repeat it"},
	)
	return append(flags, passedFlags(sidecarFlags())...)
}

const (
	// shardAttempts is how often a shard is tried again unless --backoff-limit says so: a Pod that is lost leaves a part of the read undone while the
	// others go on.
	shardAttempts = 2
	cronJobJitter = 15 * time.Second
)

// only keeps the flags of these names.
func only(flags []cli.Flag, names ...string) []cli.Flag {
	return slices.DeleteFunc(flags, func(flag cli.Flag) bool { return !slices.Contains(names, flag.Names()[0]) })
}

// printManifest renders what the flags ask for.
func printManifest(c *cli.Context, env environment) error {
	m := &runMode{env: env, cli: c, command: sidecar.Command(c.String("command"))}
	if err := commandKnown(m.command); err != nil {
		return withCode(exitUsage, err)
	}
	task, err := m.task()
	options, wrong := manifestOptions(c, task)
	if err = errors.Join(err, wrong); err != nil {
		return withCode(exitUsage, err)
	}
	options.Selection = m.selection()
	task.TaskID, task.StartedAt = "", time.Time{} // each Pod has its own
	objects, err := manifest.New(task, options)
	if err != nil {
		return withCode(exitUsage, err)
	}
	text, err := objects.YAML()
	if err != nil {
		return withCode(exitFailed, err)
	}
	if _, err := env.stdout.Write(text); err != nil {
		return withCode(exitEnvironment, fmt.Errorf("write the manifest: %w", err))
	}
	return nil
}

// manifestOptions are the flags that only a manifest has, with the Pod's.
func manifestOptions(c *cli.Context, task runner.Task) (manifest.Options, error) {
	o, err := podOptions(c, task.Settings)
	problems := []error{err}
	kind, known := manifestKind(c.String("kind"))
	if !known {
		problems = append(problems, fmt.Errorf("--kind %q: write Pod, Job or CronJob", c.String("kind")))
	}
	o.Kind, o.Name, o.Plain = kind, c.String("name"), c.Bool("plain")
	o.Secret, o.SecretKeys = c.String("secret"), c.StringSlice("secret-key")
	o.Storage.DataClaim = c.String("data-pvc")
	o.NetworkPolicy, o.Egress = c.Bool("network-policy"), c.StringSlice("egress")
	o.Job = manifest.JobOptions{
		Schedule: c.String("schedule"), TimeZone: c.String("time-zone"), BackoffLimit: int32(c.Int("backoff-limit")),
		ActiveDeadline: activeDeadline(c, task), TTL: c.Duration("ttl"), SuccessfulJobs: int32(c.Int("history-limit")),
		FailedJobs: int32(c.Int("failed-history-limit")), StartingDeadline: c.Duration("starting-deadline"), ConcurrencyReplaces: c.Bool("replace-running"),
	}
	if kind == manifest.KindCronJob || c.IsSet("startup-jitter") {
		o.Job.StartupJitter = c.Duration("startup-jitter")
	}
	if o.Shards > 1 && !c.IsSet("backoff-limit") {
		o.Job.BackoffLimit = shardAttempts
	}
	if o.Job.StartupJitter < 0 {
		problems = append(problems, fmt.Errorf("--startup-jitter %s is less than 0", o.Job.StartupJitter))
	}
	for _, flag := range []string{"backoff-limit", "history-limit", "failed-history-limit"} {
		if c.Int(flag) < 0 {
			problems = append(problems, fmt.Errorf("--%s %d is less than 0", flag, c.Int(flag)))
		}
	}
	problems = append(problems, checkSharedState(o.Shards, task.State))
	if kind == manifest.KindCronJob && task.State != nil {
		problems = append(problems,
			errors.New("--state and --kind CronJob: every run would begin with the same state; without it each goes on from the last"))
	}
	return o, errors.Join(problems...)
}

// manifestKind is the kind that is meant, whatever its case.
func manifestKind(text string) (manifest.Kind, bool) {
	for _, kind := range []manifest.Kind{manifest.KindPod, manifest.KindJob, manifest.KindCronJob} {
		if strings.EqualFold(text, string(kind)) {
			return kind, true
		}
	}
	return "", false
}

// activeDeadline is --active-deadline, or a while after the sidecar would have ended the task itself: a Pod that never starts, for want of an image
// or a node, would hold up its CronJob for ever.
func activeDeadline(c *cli.Context, task runner.Task) time.Duration {
	if c.IsSet("active-deadline") {
		return c.Duration("active-deadline")
	}
	limit := session.DefaultConfig().Deadlines.Task
	if hours, err := strconv.ParseFloat(task.Settings["TASK_TIMEOUT_HOURS"], 64); err == nil && hours > 0 {
		limit = time.Duration(hours * float64(time.Hour))
	}
	return limit + 15*time.Minute
}
