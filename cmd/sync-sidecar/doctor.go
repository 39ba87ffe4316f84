package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"sync-sidecar/cmd/sync-sidecar/console"
	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/secret"
)

// doctorCommand looks at everything that a run needs.
func doctorCommand(env environment) *cli.Command {
	return &cli.Command{
		Name:      "doctor",
		Usage:     "check what runs need: Docker, containers that share pipes, the image, servers and their rights, disk, clock",
		ArgsUsage: "[IMAGE]",
		Description: "Takes the flags and variables of `run`, and looks at what they name. Each line is ok, warn, fail or skip; what is not ok has a\n" +
			"cause and a next step. The exit code is 0 when nothing failed, and 3 otherwise. Nothing is changed but for what a run makes and removes again.",
		Flags: runFlags(sidecar.CommandSpec),
		Action: func(c *cli.Context) error {
			ctx, stop := orExit(c.Context, env.signals)
			defer stop()
			c.Context = ctx
			d := &doctor{runMode: runMode{env: env, cli: c, command: sidecar.CommandSpec}}
			return unlessSignalled(ctx, d.run(ctx))
		},
	}
}

// grade is how a check ended.
type grade string

const (
	gradeOK   grade = "ok"
	gradeWarn grade = "warn"
	gradeFail grade = "fail"
	gradeSkip grade = "skip"
)

// finding is what a check found.
type finding struct {
	Check  string `json:"check"`
	Grade  grade  `json:"status"`
	Detail string `json:"detail"`        // what was found, or the cause
	Fix    string `json:"fix,omitempty"` // the next step
}

// doctor is one `doctor` on its way.
type doctor struct {
	runMode
	settings map[string]string
	masker   *secret.Masker
	failed   int
}

// checkTimeout bounds a check.
const checkTimeout = time.Minute

// run makes all checks, one after the other, and tells each at once.
func (d *doctor) run(ctx context.Context) error {
	var err error
	if d.settings, err = d.runMode.settings(); err != nil {
		return withCode(exitUsage, err)
	}
	if err := d.checkOutput(); err != nil {
		return withCode(exitUsage, err)
	}
	d.masker = secret.NewMasker()
	for _, flag := range markedFlags(d.cli.Command.Flags) {
		d.masker.Add(flag.secretsIn(d.settings[flag.variable()])...)
	}
	docker, leave := d.checkDocker(ctx)
	defer leave()
	for _, check := range []func(context.Context) []finding{
		func(ctx context.Context) []finding { return d.checkContainers(ctx, docker) },
		func(ctx context.Context) []finding { return d.checkImage(ctx, docker) },
		d.checkFolder, d.checkSpool, d.checkBulker, d.checkPostgres, d.checkKubernetes,
	} {
		bounded, cancel := context.WithTimeout(ctx, checkTimeout)
		found := check(bounded)
		cancel()
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := d.tell(found...); err != nil {
			return err
		}
	}
	if d.failed > 0 {
		return withCode(exitEnvironment, fmt.Errorf("%d of the checks failed", d.failed))
	}
	return nil
}

// tell prints findings.
func (d *doctor) tell(found ...finding) error {
	for _, f := range found {
		if f.Grade == gradeFail {
			d.failed++
		}
		f.Detail, f.Fix = d.masker.Mask(f.Detail), d.masker.Mask(f.Fix)
		var err error
		if d.cli.String("output") == outputJSON {
			err = json.NewEncoder(d.env.stdout).Encode(f)
		} else {
			_, err = fmt.Fprint(d.env.stdout, f.lines())
		}
		if err != nil {
			return withCode(exitEnvironment, fmt.Errorf("write the result: %w", err))
		}
	}
	return nil
}

// lines are a finding for people.
func (f finding) lines() string {
	text := fmt.Sprintf("%-4s  %-14s  %s\n", f.Grade, f.Check, console.Line(f.Detail))
	if f.Fix != "" {
		text += strings.Repeat(" ", len("ok    ")) + fmt.Sprintf("%-14s  → %s\n", "", console.Line(f.Fix))
	}
	return text
}

// found is one finding.
func found(check string, g grade, detail, fix string) []finding {
	return []finding{{Check: check, Grade: g, Detail: detail, Fix: fix}}
}
