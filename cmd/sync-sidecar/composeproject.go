package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"sync-sidecar/cmd/sync-sidecar/console"
	"sync-sidecar/compose"
	"sync-sidecar/runner"
	"sync-sidecar/runner/docker"
	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/secret"
)

// groupProject are the flags of a Compose project alone.
const groupProject = "Project"

// composeCommand is the mode that writes a Compose project for a connector.
func composeCommand(env environment) *cli.Command {
	return &cli.Command{
		Name: "compose", Usage: "write a Docker Compose project that runs a connector, ready to commit", ArgsUsage: "[IMAGE]",
		Description: "sync-sidecar compose --image airbyte/source-faker --config config.json --profile postgres\n\n" +
			"Asks the connector for its spec, to know what in the configuration is secret: that goes into secrets/, and the rest can be committed.\n" +
			"The options are those of run; what they set stands in .env.",
		Flags:        composeFlags(),
		Action:       func(c *cli.Context) error { return writeProject(c, env) },
		OnUsageError: usageError("sync-sidecar compose"),
	}
}

// composeFlags are those of run that concern the connector, the project's, and the sidecar's, which are passed through.
func composeFlags() []cli.Flag {
	flags := only(connectorFlags(sidecar.CommandRead), "image", "sync-id", "config", "catalog", "streams", "sync-mode", "cursor", "primary-key")
	flags = append(flags,
		&cli.StringFlag{Name: "profile", Category: groupProject, Value: compose.ProfileLocal,
			Usage: "where rows, results and state go: local (a folder), postgres, or bulker"},
		&cli.StringSliceFlag{Name: "add", Category: groupProject,
			Usage: "what else the project has: " + strings.Join(slices.Sorted(maps.Keys(compose.Additions())), ", ") + "; repeat it"},
		&cli.StringFlag{Name: "to", Category: groupProject, Usage: "`FOLDER` that the project is written into (default: named after the sync)"},
		&cli.BoolFlag{Name: "force", Category: groupProject, Usage: "replace files that are there and differ"},
		&cli.StringFlag{Name: "spec", Category: groupProject, Usage: "the connector's spec, a `FILE` (default: the connector is asked)"},
		&cli.BoolFlag{Name: "discover", Category: groupProject,
			Usage: "ask the connector for its streams now, and write them as catalog.json to choose from (default: each read asks)"},
	)
	flags = append(flags, only(dockerFlags(), "entrypoint", "network", "add-host", "memory", "cpus", "platform", "pull", "sidecar-image", "keep")...)
	flags = append(flags, only(sidecarFlags(), "show-rows")...) // which run does not take
	return append(flags, passedFlags(sidecarFlags())...)
}

// projectMode is one `compose` on its way.
type projectMode struct {
	*runMode
	image, syncID string
	config        []byte // as it was given, with its ${NAME}
	masker        *secret.Masker
}

// writeProject asks the connector what has to be known, and writes the project.
func writeProject(c *cli.Context, env environment) error {
	ctx, stop := orExit(c.Context, env.signals)
	defer stop()
	m := &projectMode{runMode: &runMode{env: env, cli: c, command: sidecar.CommandRead}, masker: secret.NewMasker()}
	project, err := m.read()
	if err != nil {
		return withCode(exitUsage, err)
	}
	if err := m.complete(ctx, &project); err != nil {
		return maskedError(m.masker, unlessSignalled(ctx, err))
	}
	files, err := project.Files()
	if err != nil {
		return withCode(exitUsage, err)
	}
	folder := c.String("to")
	if folder == "" {
		folder = m.syncID
	}
	if err := writeFiles(folder, files, c.Bool("force")); err != nil {
		return err
	}
	return m.tell(folder, files, project)
}

// read reads the flags. All that is wrong with them is in the error.
func (m *projectMode) read() (compose.Project, error) {
	c := m.cli
	var task runner.Task
	task.Image = c.String("image")
	problems := []error{m.positional(&task)}
	if m.image = task.Image; m.image == "" {
		problems = append(problems, errors.New("give the connector's image (--image)"))
	}
	if m.syncID = c.String("sync-id"); m.syncID == "" {
		m.syncID = runner.SyncIDFor(m.image, nil)
	}
	settings, err := m.settings()
	problems = append(problems, err)
	if rows := c.Int("show-rows"); rows > 0 {
		settings["SHOW_ROWS"] = strconv.Itoa(rows)
	}
	project := compose.Project{Image: m.image, Entrypoint: c.String("entrypoint"), Sidecar: c.String("sidecar-image"), SyncID: m.syncID,
		Profile: c.String("profile"), Additions: c.StringSlice("add"), Settings: settings, SecretSettings: map[string]string{}}
	for _, flag := range markedFlags(c.Command.Flags) {
		name := flag.variable()
		m.masker.Add(flag.secretsIn(settings[name])...)
		if address, changed := docker.Reachable(settings[name]); flag.address && changed { // localhost is the container's own
			settings[name] = address
		}
		if value := settings[name]; flag.secret && value != "" {
			project.SecretSettings[name] = value
			delete(settings, name)
		}
	}
	if value := c.String("config"); value != "" {
		var name string
		if name, m.config, err = m.configDocument(value); err == nil {
			err = runner.CheckObject(name, m.config)
		}
		problems = append(problems, err)
	}
	if value := c.String("catalog"); value != "" {
		name, catalog, err := m.document("catalog", value)
		if err == nil {
			err = runner.CheckCatalog(name, catalog)
		}
		project.Catalog = catalog
		problems = append(problems, err)
	}
	return project, errors.Join(problems...)
}

// complete asks the connector for its spec and, where that is wanted, for its streams.
func (m *projectMode) complete(ctx context.Context, project *compose.Project) error {
	spec, err := m.spec(ctx)
	if err != nil {
		return err
	}
	config := m.config
	if config == nil {
		config = []byte("{}")
	}
	if project.Config, err = compose.Part(config, spec, m.lookup); err != nil {
		return withCode(exitUsage, fmt.Errorf("--config: %w", err))
	}
	for _, value := range project.Config.Secrets {
		m.masker.Add(value)
	}
	selection := m.selection()
	if _, err := m.choices(); err != nil {
		return withCode(exitUsage, err)
	}
	if project.Catalog != nil {
		if project.Catalog, _, err = runner.FilterConfigured(project.Catalog, selection); err != nil {
			return withCode(exitUsage, err)
		}
		return nil
	}
	if !m.cli.Bool("discover") && len(selection.Streams) == 0 && len(selection.ChoiceArgs()) == 0 {
		return nil
	}
	filled, err := runner.Expand("--config", config, m.lookup)
	if err != nil {
		return withCode(exitUsage, err)
	}
	discovered, err := m.ask(ctx, question{image: m.image, syncID: m.syncID, command: sidecar.CommandDiscover, config: filled}, m.masker)
	if err != nil {
		return err
	}
	catalog, notes, err := runner.Configure(discovered, selection)
	if err != nil {
		return withCode(exitUsage, err)
	}
	for _, note := range notes {
		if _, err := fmt.Fprintln(m.env.stderr, console.Line(note)); err != nil {
			return withCode(exitEnvironment, err)
		}
	}
	project.Catalog = readableJSON(catalog)
	return nil
}

// readableJSON is a document for a person to read and change.
func readableJSON(document []byte) []byte {
	var value any
	if json.Unmarshal(document, &value) != nil {
		return document
	}
	readable, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return document
	}
	return append(readable, '\n')
}

// spec is the connector's, of the file that was given or of its own mouth.
func (m *projectMode) spec(ctx context.Context) (json.RawMessage, error) {
	spec, err := m.specFile()
	if err != nil {
		return nil, withCode(exitUsage, err)
	}
	if spec != nil {
		return spec, nil
	}
	return m.ask(ctx, question{image: m.image, syncID: m.syncID, command: sidecar.CommandSpec}, m.masker)
}
