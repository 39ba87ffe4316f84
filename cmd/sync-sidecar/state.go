package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"sync-sidecar/cmd/sync-sidecar/console"
	"sync-sidecar/runner/project"
	"sync-sidecar/runner/states"
	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
	"sync-sidecar/sidecar/secret"
)

// stateCommand is the mode for the saved states of a sync, between two of its runs.
func stateCommand(env environment) *cli.Command {
	command := func(name, arguments, usage, description string, act func(*stateMode) error, flags ...cli.Flag) *cli.Command {
		return &cli.Command{Name: name, ArgsUsage: arguments, Usage: usage, Description: description, Flags: append(stateFlags(), flags...),
			OnUsageError: usageError("sync-sidecar state " + name),
			Action: func(c *cli.Context) error {
				ctx, stop := orExit(c.Context, env.signals)
				defer stop()
				return unlessSignalled(ctx, (&stateMode{env: env, cli: c, file: arguments != ""}).run(ctx, act))
			}}
	}
	output := &cli.StringFlag{Name: "output", Aliases: []string{"o"}, Category: groupOutput, Value: outputTable, Usage: "`FORMAT`: table or json"}
	return &cli.Command{
		Name: "state", Usage: "show, reset, export, import or compare the state from which the next read of a sync goes on",
		Description: "sync-sidecar state show --sync-id source-faker\n" +
			"sync-sidecar state reset --sync-id source-faker --streams 'users,orders*'\n" +
			"sync-sidecar state export --sync-id source-faker > state.json\n\n" +
			"States are in --local-dir, or in Postgres where DATABASE_URL or DESTINATION_URL is set.",
		Subcommands: []*cli.Command{
			command("show", "", "show the saved states", "", (*stateMode).show, output),
			command("reset", "", "forget saved states: the next read of their streams begins anew",
				"It asks first, unless --yes is given. What it means for the rows that are there: docs/state.md", (*stateMode).reset,
				&cli.BoolFlag{Name: "yes", Aliases: []string{"y"}, Usage: "do not ask"}),
			command("export", "", "print the saved states as the file that Airbyte's --state takes", "", (*stateMode).export),
			command("import", "FILE", "save the states of a FILE (- is stdin) in place of those that are saved",
				"It takes what export prints, the array that Airbyte's --state takes, STATE messages, and the older LEGACY form.", (*stateMode).importFile),
			command("diff", "FILE", "say where a FILE of states and the saved ones differ; the exit code is 1 when they do", "", (*stateMode).diff, output),
		},
	}
}

// stateFlags say which sync is meant, and where its states are.
func stateFlags() []cli.Flag {
	flags := []cli.Flag{
		&cli.StringFlag{Name: "sync-id", Category: categorySync, EnvVars: []string{"SYNC_ID"}, Usage: "`NAME` of the sync"},
		&cli.StringSliceFlag{Name: "streams", Category: categorySync, Usage: "only these streams, `NAME,NAME`; * and ? stand for any letters"},
		&cli.StringFlag{Name: "local-dir", Category: categoryDestination, Value: "sync-data", EnvVars: []string{"LOCAL_DIR"},
			Usage: "`FOLDER` of rows, results and state that no server takes"},
		projectFlag(),
	}
	return append(flags, only(sidecarFlags(), "database-url", "destination-url", "destination-config-file", "journal-schema")...)
}

// stateMode is one `state` command on its way.
type stateMode struct {
	env  environment
	cli  *cli.Context
	file bool // it takes a FILE

	settings settings
	places   *statePlaces
	each     [][]sidecar.SavedState // by place
	saved    []sidecar.SavedState   // what the next read goes on from
	masker   *secret.Masker

	given     []airbyte.State // by FILE
	givenName string          // of it
}

// run opens the places of the states, and acts.
func (m *stateMode) run(ctx context.Context, act func(*stateMode) error) (err error) {
	if err := m.arguments(); err != nil {
		return withCode(exitUsage, err)
	}
	if err := m.adoptProject(); err != nil {
		return withCode(exitUsage, err)
	}
	if m.settings, err = stateSettings(m.cli, m.env); err != nil {
		return withCode(exitUsage, err)
	}
	m.masker, m.cli.Context = stateMasker(m.settings), ctx
	if err := m.readGiven(); err != nil {
		return withCode(exitUsage, err)
	}
	making := m.cli.Command.Name == "import"
	bounded, cancel := context.WithTimeout(ctx, specTimeout)
	defer cancel()
	m.places, err = openStatePlaces(bounded, m.settings, making && m.settings.config.Identity.SyncID != "")
	defer m.places.close(ctx)
	if err == nil {
		err = m.chosen(bounded)
	}
	if err == nil {
		m.each, m.saved, err = m.places.load(bounded)
	}
	if err == nil && len(m.saved) == 0 && !making && m.cli.Command.Name != "diff" {
		err = m.nothing(bounded)
	}
	if err == nil {
		m.masker = stateMasker(m.settings, m.saved...)
		err = act(m)
	}
	return m.told(err)
}

// adoptProject takes from a project file that names the sync where its states are.
func (m *stateMode) adoptProject() error {
	file, found, err := findProject(m.cli.String("project"))
	if err != nil || !found {
		return err
	}
	if m.cli.String("sync-id") == "" {
		return fmt.Errorf("which sync? --sync-id NAME: %s has %s", file.File, states.Brief(file.SyncNames()))
	}
	sync, err := file.Sync(m.cli.String("sync-id"))
	switch {
	case err != nil && m.cli.String("project") == "":
		return nil // it is a sync of another making
	case err != nil:
		return err
	}
	places := only(stateFlags(), "local-dir", "database-url", "destination-url", "destination-config-file", "journal-schema")
	sync.Values = slices.DeleteFunc(slices.Clone(sync.Values), func(value project.Value) bool {
		return flagNamed(&cli.Command{Flags: places}, "--"+value.Name) == nil
	})
	_, err = adopt(m.cli, m.env, sync, (&runMode{env: m.env}).lookup)
	return err
}

// told is an error as a person is told of it. One of the environment is what opening and loading fail with.
func (m *stateMode) told(err error) error {
	if err == nil || err.Error() == "" {
		return err
	}
	code := exitEnvironment
	if errors.Is(err, sidecar.ErrStateRefused) {
		code = exitFailed
	}
	if coded := (*exitError)(nil); errors.As(err, &coded) {
		code = coded.code
	}
	return withCode(code, errors.New(console.Line(m.masker.Mask(err.Error()))))
}

// arguments says what is wrong with the arguments and the output.
func (m *stateMode) arguments() error {
	args := m.cli.Args()
	switch {
	case m.file && args.Len() == 0:
		return fmt.Errorf("which file? sync-sidecar state %s FILE --sync-id NAME (- is stdin)", m.cli.Command.Name)
	case m.file && args.Len() > 1:
		return fmt.Errorf("one file is enough, but there is also %q", args.Get(1))
	case !m.file && args.Present():
		return fmt.Errorf("what is %q for? the sync is named by --sync-id", args.First())
	}
	switch output := m.cli.String("output"); output {
	case "", outputJSON, outputTable:
		return nil
	default:
		return fmt.Errorf("--output %q: write json or table", output)
	}
}

// chosen says which syncs there are when none is named.
func (m *stateMode) chosen(ctx context.Context) error {
	if m.places.syncID != "" {
		return nil
	}
	syncs, err := m.places.known(ctx)
	if err != nil {
		return err
	}
	there := "no sync has a saved state in " + m.places.where
	if len(syncs) > 0 {
		there = fmt.Sprintf("in %s there are %s", m.places.where, states.Brief(syncs))
	}
	return withCode(exitUsage, fmt.Errorf("which sync? --sync-id NAME: %s", there))
}

// nothing says that no state is saved, and of which syncs there are.
func (m *stateMode) nothing(ctx context.Context) error {
	syncs, err := m.places.known(ctx)
	if err != nil {
		return err
	}
	others := slices.DeleteFunc(syncs, func(sync string) bool { return sync == m.places.syncID })
	there := ", nor of any other sync"
	if len(others) > 0 {
		there = ": there are those of " + states.Brief(others)
	}
	return withCode(exitFailed, fmt.Errorf("no state of sync %q is saved in %s%s", m.places.syncID, m.places.where, there))
}

// selection is --streams.
func (m *stateMode) selection() states.Selection {
	return (&runMode{cli: m.cli}).selection().Streams
}

// note tells a person something beside the result.
func (m *stateMode) note(format string, args ...any) {
	fmt.Fprintln(m.env.stderr, console.Line(m.masker.Mask(fmt.Sprintf(format, args...))))
}

// print writes the result.
func (m *stateMode) print(text string) error {
	if _, err := fmt.Fprint(m.env.stdout, text); err != nil {
		return withCode(exitEnvironment, fmt.Errorf("write the result: %w", err))
	}
	return nil
}

// selected are the entries of the saved states that --streams means.
func (m *stateMode) selected(saved []sidecar.SavedState) ([]states.Entry, error) {
	entries, err := states.Selected(states.Of(saved), m.selection())
	if err != nil {
		return nil, withCode(exitFailed, fmt.Errorf("--streams: sync %q in %s: %w", m.places.syncID, m.places.where, err))
	}
	return entries, nil
}

// wheres are the names of the places.
func (m *stateMode) wheres() string {
	var names []string
	for _, place := range m.places.places {
		names = append(names, place.name)
	}
	return strings.Join(names, ", and in ")
}
