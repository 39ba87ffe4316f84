package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"sync-sidecar/runner"
	"sync-sidecar/runner/project"
	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/document"
)

const groupProjectFile = "The project file"

// projectFlags choose among the syncs that a file names.
func projectFlags() []cli.Flag {
	return []cli.Flag{
		projectFlag(),
		&cli.BoolFlag{Name: "all", Category: groupProjectFile, Usage: "run all syncs of the project file, and sum up"},
		&cli.IntFlag{Name: "jobs", Category: groupProjectFile, Value: 1, Usage: "run so many of several syncs side by side"},
		&cli.StringFlag{Name: outcomeFlag, Hidden: true}, // for whoever runs several
	}
}

func projectFlag() cli.Flag {
	return &cli.StringFlag{Name: "project", Category: groupProjectFile,
		Usage: "`FILE` that names syncs (default: sync-sidecar.yaml, .yml or .json, if there is one)"}
}

// projectOptions are what a sync of a project file can say: the flags of read that are of one sync.
func projectOptions() []project.Option {
	var options []project.Option
	for _, flag := range runFlags(sidecar.CommandRead) {
		described, is := flag.(cli.DocGenerationFlag)
		name := flag.Names()[0]
		if !is || name == "sync-id" || flagNamed(&cli.Command{Flags: projectFlags()}, "--"+name) != nil {
			continue
		}
		option := project.Option{Name: name, Kind: projectKind(flag), Usage: strings.ReplaceAll(described.GetUsage(), "`", ""),
			Path: slices.Contains([]string{"config", "catalog", "state", "env-file", "local-dir", "html", "report", "kubeconfig", "spool-dir", "ca",
				"destination-config-file"}, name),
			Mount: name == "volume"}
		for _, group := range [][]string{{"image", "exec"}, {"bulker-url", "destination-url"}, {"state", "no-state", "full-refresh"}} {
			if slices.Contains(group, name) {
				option.Instead = group
			}
		}
		options = append(options, option)
	}
	return options
}

// projectKind is what the value of a flag is.
func projectKind(flag cli.Flag) project.Kind {
	switch flag.Names()[0] {
	case "config", "catalog", "state":
		return project.Document
	case "env", "annotation", "label", "node-selector", "sync-mode", "cursor", "primary-key":
		return project.Pairs
	}
	switch flag.(type) {
	case *cli.BoolFlag:
		return project.Switch
	case *cli.StringSliceFlag:
		return project.List
	case *cli.IntFlag, *cli.Int64Flag:
		return project.Integer
	case *cli.Float64Flag:
		return project.Number
	case *cli.DurationFlag:
		return project.Duration
	}
	return project.Text
}

// start runs what the arguments name: one sync of a project file or several, or else the connector that the flags give.
func (m *runMode) start() error {
	m.endWithParent()
	syncs, err := m.namedSyncs()
	if err != nil {
		return withCode(exitUsage, err)
	}
	if len(syncs) == 0 {
		return m.run()
	}
	if len(syncs) > 1 || m.cli.Bool("all") {
		return m.runSeveral(syncs)
	}
	if slices.Contains(m.env.given, "sync-id") {
		return withCode(exitUsage, fmt.Errorf("--sync-id: sync %q is kept under its name", syncs[0].Name))
	}
	if m.origins, err = adopt(m.cli, m.env, syncs[0], m.lookupExpanded); err == nil {
		err = m.cli.Set("sync-id", syncs[0].Name)
	}
	if err != nil {
		return withCode(exitUsage, err)
	}
	m.adopted = true
	return m.run()
}

// namedSyncs are the syncs that the arguments name; none when an image is meant, or the flags say all.
func (m *runMode) namedSyncs() ([]project.Sync, error) {
	names, all := m.cli.Args().Slice(), m.cli.Bool("all")
	mustBe := all || m.env.implied || m.cli.String("project") != ""
	switch {
	case all && len(names) > 0:
		return nil, fmt.Errorf("--all is every sync, and %q one of them: which is meant?", names[0])
	case len(names) == 0 && !all && m.cli.String("project") == "":
		return nil, nil
	case !mustBe && slices.ContainsFunc(names, func(name string) bool { return !project.Name(name) }):
		return nil, nil
	}
	if at := slices.IndexFunc(names, isRunCommand); at > 0 || at == 0 && len(names) > 1 {
		others := slices.Delete(slices.Clone(names), at, at+1)
		return nil, fmt.Errorf("the command comes first: sync-sidecar run %s %s", names[at], strings.Join(others, " "))
	}
	file, found, err := findProject(m.cli.String("project"))
	switch {
	case err != nil:
		return nil, err
	case !found && m.env.implied && len(names) > 0:
		return nil, fmt.Errorf("%q is not one of spec, check, discover, read, and there is no %s here that names it as a sync", names[0],
			project.Names()[0])
	case !found && mustBe:
		return nil, fmt.Errorf("there is no %s here: --project names one", project.Names()[0])
	case !found:
		return nil, nil
	case all:
		return file.Syncs, nil
	case len(names) == 0:
		return nil, fmt.Errorf("which sync of %s? name some, or write --all", file.File)
	}
	syncs, err := syncsOf(file, names, mustBe)
	if err != nil && m.env.implied {
		err = fmt.Errorf("%w (and the commands of run are spec, check, discover, read)", err)
	}
	return syncs, err
}

// isRunCommand says that a word is a command of run.
func isRunCommand(word string) bool {
	return slices.Contains([]string{string(sidecar.CommandSpec), string(sidecar.CommandCheck), string(sidecar.CommandDiscover),
		string(sidecar.CommandRead)}, word)
}

// syncsOf are syncs of a file by their names. One name that it does not have may be an image, unless it must be a sync.
func syncsOf(file project.Project, names []string, mustBe bool) ([]project.Sync, error) {
	var syncs []project.Sync
	for i, name := range names {
		sync, err := file.Sync(name)
		switch {
		case err != nil && len(names) == 1 && !mustBe:
			return nil, nil
		case err != nil:
			return nil, err
		case slices.Contains(names[:i], name):
			return nil, fmt.Errorf("sync %q is named twice", name)
		}
		syncs = append(syncs, sync)
	}
	return syncs, nil
}

// findProject reads the project file of a name (--project), or without one that which is here.
func findProject(name string) (file project.Project, found bool, err error) {
	if name == "" {
		var here []string
		for _, usual := range project.Names() {
			if _, err := os.Stat(usual); !errors.Is(err, fs.ErrNotExist) {
				here = append(here, usual)
			}
		}
		switch len(here) {
		case 0:
			return file, false, nil
		case 1:
			name = here[0]
		default:
			return file, false, fmt.Errorf("there are %s: --project says which is meant", strings.Join(here, " and "))
		}
	}
	content, err := document.Read(name)
	if failed := (*fs.PathError)(nil); errors.As(err, &failed) {
		err = failed.Err // the name is said already
	}
	if err != nil {
		return file, false, fmt.Errorf("--project %s: %w", name, err)
	}
	file, err = project.Parse(name, content, projectOptions())
	return file, true, err
}

// adopt sets the flags of a command as a sync says, but for those that the command line gives. The origins say where the documents among them are
// from. lookup is of variables.
func adopt(c *cli.Context, env environment, sync project.Sync, lookup func(string) (string, bool)) (origins map[string]string, err error) {
	values, err := resolve(c, env, sync, lookup)
	if err != nil {
		return nil, err
	}
	origins = map[string]string{}
	for _, value := range values {
		var text string
		switch flag := flagNamed(c.Command, "--"+value.Name).(type) {
		case *cli.StringSliceFlag:
			text = cli.NewStringSlice(value.Texts...).Serialize()
		default:
			if len(value.Texts) > 1 {
				return nil, fmt.Errorf("%s: --%s takes one value", value.Where, flag.Names()[0])
			}
			text = strings.Join(value.Texts, "")
		}
		if value.Document != nil {
			text, origins[value.Name] = string(value.Document), value.Where
		}
		if err := c.Set(value.Name, text); err != nil {
			return nil, fmt.Errorf("%s: %w", value.Where, err)
		}
	}
	return origins, nil
}

// resolve are the values of a sync that count for a command.
func resolve(c *cli.Context, env environment, sync project.Sync, lookup func(string) (string, bool)) ([]project.Value, error) {
	sync.Values = slices.DeleteFunc(slices.Clone(sync.Values), func(value project.Value) bool {
		instead := func(other string) bool { return slices.Contains(env.given, other) }
		return flagNamed(c.Command, "--"+value.Name) == nil || instead(value.Name) || slices.ContainsFunc(value.Instead, instead)
	})
	return sync.Resolve(lookup)
}

// resolvable says what several syncs lack, before the first one begins; what they share it says once.
func (m *runMode) resolvable(syncs []project.Sync) error {
	var problems []error
	note := func(err error) {
		parts := []error{err}
		if joined, is := err.(interface{ Unwrap() []error }); is {
			parts = joined.Unwrap()
		}
		for _, part := range parts {
			if part != nil && !slices.ContainsFunc(problems, func(known error) bool { return known.Error() == part.Error() }) {
				problems = append(problems, part)
			}
		}
	}
	for _, sync := range syncs {
		values, err := resolve(m.cli, m.env, sync, m.lookup)
		note(err)
		for _, value := range values {
			if value.Document != nil {
				_, err := runner.Expand(value.Where, value.Document, m.lookup)
				note(err)
			}
		}
	}
	return errors.Join(problems...)
}
