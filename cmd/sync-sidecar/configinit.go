package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"sync-sidecar/runner"
	"sync-sidecar/runner/project"
	"sync-sidecar/runner/skeleton"
	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/secret"
)

// Formats of a configuration to fill in.
const formatYAML = "yaml"

// configCommand is the mode for the connector's configuration.
func configCommand(env environment) *cli.Command {
	begin := &cli.Command{
		Name: "init", Usage: "print a configuration to fill in, made from the connector's spec", ArgsUsage: "[IMAGE]",
		Description: "sync-sidecar config init --image airbyte/source-faker > config.yaml\n\n" +
			"YAML with what the spec says of each setting; what is required or has a preset is set, the rest a comment. --config takes JSON, too.\n" +
			"With --sync NAME it is a sync of a project file (docs/project.md): … > sync-sidecar.yaml",
		Flags:        configFlags(),
		Action:       func(c *cli.Context) error { return printSkeleton(c, env) },
		OnUsageError: usageError("sync-sidecar config init"),
	}
	return &cli.Command{Name: "config", Usage: "write the connector's configuration", Subcommands: []*cli.Command{begin}}
}

// configFlags are those of run that concern how a connector is asked for its spec.
func configFlags() []cli.Flag {
	flags := only(connectorFlags(sidecar.CommandSpec), "image", "exec", "env", "env-file", "ca")
	flags = append(flags,
		&cli.StringFlag{Name: "format", Category: groupOutput, Value: formatYAML, Usage: "`yaml`, with comments, or json"},
		&cli.StringFlag{Name: "sync", Category: groupOutput, Usage: "print a project file with a sync of this `NAME`, and the configuration in it"},
		&cli.StringFlag{Name: "spec", Category: groupConnector, Usage: "the connector's spec, a `FILE` (default: the connector is asked)"})
	flags = append(flags, only(outputFlags(), "quiet", "verbose")...)
	return append(flags, only(dockerFlags(), "entrypoint", "network", "add-host", "memory", "cpus", "volume", "user",
		"platform", "pull", "sidecar-image", "keep")...)
}

// printSkeleton asks for the spec and prints what to fill in.
func printSkeleton(c *cli.Context, env environment) error {
	ctx, stop := orExit(c.Context, env.signals)
	defer stop()
	m := &runMode{env: env, cli: c, command: sidecar.CommandSpec}
	write := skeleton.YAML
	switch c.String("format") {
	case formatYAML:
	case outputJSON:
		write = skeleton.JSON
	default:
		return withCode(exitUsage, fmt.Errorf("--format %q: write yaml or json", c.String("format")))
	}
	if name := c.String("sync"); name != "" {
		if !project.Name(name) || c.String("format") != formatYAML {
			return withCode(exitUsage, fmt.Errorf("--sync %q: write letters, digits, '.', '_' and '-', and leave --format out: a project file is YAML", name))
		}
		write = m.asSync
	}
	spec, err := m.specFile()
	if err == nil && spec == nil {
		masker := secret.NewMasker()
		q := question{command: sidecar.CommandSpec}
		if q.image, q.program, err = m.connector(); err == nil {
			q.env, err = m.connectorEnv()
		}
		if err != nil {
			return withCode(exitUsage, err)
		}
		q.syncID = runner.SyncIDFor(q.image, q.program)
		if spec, err = m.ask(ctx, q, masker); err != nil {
			return maskedError(masker, unlessSignalled(ctx, err))
		}
	}
	if err != nil {
		return withCode(exitUsage, err)
	}
	text, err := write(spec)
	if err != nil {
		return withCode(exitFailed, err)
	}
	if _, err := env.stdout.Write(text); err != nil {
		return withCode(exitEnvironment, fmt.Errorf("write the configuration: %w", err))
	}
	return nil
}

// asSync is a configuration to fill in as a sync of a project file.
func (m *runMode) asSync(spec []byte) ([]byte, error) {
	config, err := skeleton.YAML(spec)
	if err != nil {
		return nil, err
	}
	var options [][2]string
	if image, _, err := m.connector(); err == nil { // --spec needs none
		option := [2]string{"exec", m.cli.String("exec")}
		if image != "" {
			option = [2]string{"image", image}
		}
		options = append(options, option)
	}
	return project.Begin(m.cli.String("sync"), options, config)
}

// specFile is the spec of --spec; nil without one.
func (m *runMode) specFile() ([]byte, error) {
	value := m.cli.String("spec")
	if value == "" {
		return nil, nil
	}
	name, spec, err := m.document("spec", value)
	if err != nil {
		return nil, err
	}
	return spec, runner.CheckObject(name, spec)
}
