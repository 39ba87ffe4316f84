package main

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/google/shlex"

	"sync-sidecar/runner"
	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/document"
)

// task is what the flags ask for. All that is wrong with them is in the error.
func (m *runMode) task() (runner.Task, error) {
	c := m.cli
	now := time.Now()
	task := runner.Task{Command: m.command, TaskID: newTaskID(now), StartedAt: now, Grace: c.Duration("grace"), Image: c.String("image")}
	var problems []error
	note := func(err error) {
		if err != nil {
			problems = append(problems, err)
		}
	}
	note(m.positional(&task))
	program, err := shlex.Split(c.String("exec"))
	if err != nil {
		note(fmt.Errorf("--exec %q: %w", c.String("exec"), err))
	}
	task.Program = program
	if task.SyncID = c.String("sync-id"); task.SyncID == "" {
		task.SyncID = runner.SyncIDFor(task.Image, task.Program)
	}
	task.LocalDir, err = filepath.Abs(c.String("local-dir"))
	note(err)
	task.ConnectorEnv, err = m.connectorEnv()
	note(err)
	task.Settings, err = m.settings()
	note(err)
	task.CA, err = certificates(c.String("ca"))
	note(err)
	note(m.describe(&task))
	_, choosing := m.choices()
	note(choosing)
	note(m.documents(&task))
	task.Secrets = m.connectorSecrets(task)
	if len(problems) == 0 {
		// A catalog may still come from discover.
		checked := task
		if checked.Catalog == nil {
			checked.Catalog = []byte("{}")
		}
		if checked.Config == nil && c.String("secret") != "" { // which holds it
			checked.Config = []byte("{}")
		}
		note(checked.Validate())
	}
	return task, errors.Join(problems...)
}

// describe says of the task's settings what the runner has to know.
func (m *runMode) describe(task *runner.Task) error {
	for _, flag := range markedFlags(m.cli.Command.Flags) {
		if flag.secret {
			task.SecretSettings = append(task.SecretSettings, flag.variable())
		}
		if flag.address {
			task.AddressSettings = append(task.AddressSettings, flag.variable())
		}
	}
	rows, err := chooseDestination(destinations(), task.Settings)
	task.RowsAtServer, task.JournalAtServer = !rows.isFolder(), rows.journal || task.Settings["DATABASE_URL"] != ""
	return err
}

// certificates are those of --ca; nil without it.
func certificates(path string) ([]byte, error) {
	if path == "" {
		return nil, nil
	}
	content, err := document.Read(path)
	if err != nil {
		return nil, fmt.Errorf("--ca: %w", err)
	}
	if !x509.NewCertPool().AppendCertsFromPEM(content) {
		return nil, fmt.Errorf("--ca: %s holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)", path)
	}
	return content, nil
}

// positional takes the image from the argument, if it is there.
func (m *runMode) positional(task *runner.Task) error {
	args := m.cli.Args()
	switch {
	case args.Len() == 0 || m.adopted:
		return nil
	case args.Len() > 1:
		return fmt.Errorf("one image is enough, but there is also %q", args.Get(1))
	case task.Image != "" || m.cli.String("exec") != "":
		return fmt.Errorf("what is %q for? the connector is given by --image or --exec already", args.First())
	}
	task.Image = args.First()
	return nil
}

// documents reads config, catalog and state.
func (m *runMode) documents(task *runner.Task) error {
	var problems []error
	task.Names = map[string]string{}
	read := func(flag, file string, check func(string, []byte) error) []byte {
		value := m.cli.String(flag)
		if value == "" {
			return nil
		}
		read := m.document
		if flag == "config" {
			read = func(_, value string) (string, []byte, error) { return m.configDocument(value) }
		}
		name, content, err := read(flag, value)
		if err == nil {
			err = check(name, content)
		}
		if err == nil && flag == "config" {
			content, err = runner.Expand(name, content, m.lookupExpanded)
		}
		if err != nil {
			problems = append(problems, err)
			return nil
		}
		task.Names[file] = name
		return content
	}
	task.Config = read("config", runner.ConfigFile, runner.CheckObject)
	if m.command != sidecar.CommandRead {
		return errors.Join(problems...)
	}
	task.Catalog = read("catalog", runner.CatalogFile, runner.CheckCatalog)
	task.State = read("state", runner.StateFile, runner.CheckState)
	task.LoadState = task.State == nil && !m.cli.Bool("no-state") && !m.cli.Bool("full-refresh")
	if task.Catalog != nil {
		filtered, notes, err := runner.FilterConfigured(task.Catalog, m.selection())
		if err != nil {
			problems = append(problems, err)
		}
		task.Catalog, m.notes = filtered, notes
	}
	return errors.Join(problems...)
}

// configDocument is the document of --config, which may be YAML: of a file that is called so, or that does not begin as JSON does.
func (m *runMode) configDocument(value string) (name string, content []byte, err error) {
	name, content, err = m.document("config", value)
	if err != nil {
		return name, content, err
	}
	begin := bytes.TrimLeft(content, " \t\r\n")
	switch strings.ToLower(filepath.Ext(name)) {
	case ".json":
	case ".yaml", ".yml":
		content, err = runner.FromYAML(name, content)
	default:
		if len(begin) > 0 && begin[0] != '{' && begin[0] != '[' {
			content, err = runner.FromYAML(name, content)
		}
	}
	return name, content, err
}

// document is the content of a file, of stdin (-), or of the flag itself when it is JSON or has lines, and what to call it.
func (m *runMode) document(flag, value string) (name string, content []byte, err error) {
	switch trimmed := strings.TrimLeft(value, " \t\r\n\ufeff"); {
	case strings.HasPrefix(trimmed, "{"), strings.HasPrefix(trimmed, "["), strings.Contains(value, "\n"): // it may be secret, and is no file
		if name = m.origins[flag]; name == "" {
			name = "--" + flag
		}
		content, err = document.UTF8([]byte(value))
	case value == "-":
		name = "stdin"
		content, err = document.ReadFrom(m.env.stdin)
	default:
		name = value
		content, err = document.Read(value)
	}
	if failed := (*fs.PathError)(nil); errors.As(err, &failed) {
		err = failed.Err // the name is said already
	}
	if err != nil {
		return "", nil, fmt.Errorf("--%s: %s: %w", flag, name, err)
	}
	return name, content, nil
}

// lookup is a variable of the caller's environment; an empty one counts as not set, since a secret that a CI job does not have is empty there.
func (m *runMode) lookup(name string) (string, bool) {
	value := m.env.getenv(name)
	return value, value != ""
}

// connectorEnv is --env-file, then --env. An --env without a value passes the caller's own on, as docker run does.
func (m *runMode) connectorEnv() ([]string, error) {
	var env []string
	for _, file := range m.cli.StringSlice("env-file") {
		pairs, err := readEnvFile(file, m.env.environ)
		if err != nil {
			return nil, fmt.Errorf("--env-file: %w", err)
		}
		env = append(env, pairs...)
	}
	for _, pair := range m.cli.StringSlice("env") {
		if !strings.Contains(pair, "=") {
			value, set := m.lookup(pair)
			if !set {
				return nil, fmt.Errorf("--env: %s is not set in the environment; write NAME=VALUE", variableLike(pair))
			}
			pair += "=" + value
		}
		env = append(env, pair)
	}
	return env, nil
}

// usualName is what variables are called.
var usualName = regexp.MustCompile(`^[A-Z]+(_[A-Z0-9]+)*$`)

// variableLike is the name of a variable for a message; it is not shown when it may be a value whose name was left out.
func variableLike(name string) string {
	if usualName.MatchString(name) {
		return name
	}
	return "a variable without a value"
}
