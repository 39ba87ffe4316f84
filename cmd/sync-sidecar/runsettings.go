package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"sync-sidecar/sidecar"
)

// plannedSettings are the sidecar's variables that a plan sets itself.
func plannedSettings() []string {
	return []string{
		"STDOUT_PIPE_FILE", "STDERR_PIPE_FILE", "EXIT_STATUS_FILE", "CONFIG_FILE", "CATALOG_FILE", "STATE_FILE", "COMMAND", "PACKAGE",
		"PACKAGE_VERSION", "SYNC_ID", "TASK_ID", "STARTED_AT", "LOCAL_DIR", "LOG_FORMAT", "CONFIG_UPDATE_FILE", "FULL_SYNC",
		"SECRETS_FILE", "SHOW_ROWS", "SHARDS", "SHARD",
	}
}

// passedFlags are those of the flags that run passes on: the sidecar's own, so that there is one list of them. Their defaults stay the sidecar's
// business. The flags that only run has either have no variable, or one that a plan sets.
func passedFlags(flags []cli.Flag) []cli.Flag {
	var passed []cli.Flag
	for _, flag := range flags {
		described, ok := flag.(cli.DocGenerationFlag)
		if !ok || len(described.GetEnvVars()) == 0 || slices.Contains(plannedSettings(), described.GetEnvVars()[0]) {
			continue
		}
		passed = append(passed, flag)
	}
	return passed
}

// settings are the sidecar's variables that were set here, by flag or environment. The file of a NAME_FILE is read here, since the sidecar may be on
// another machine.
func (m *runMode) settings() (map[string]string, error) {
	settings := map[string]string{}
	var problems []error
	for _, flag := range passedFlags(m.cli.Command.Flags) {
		if name := flag.Names()[0]; m.cli.IsSet(name) {
			settings[variableOf(name)] = fmt.Sprint(m.cli.Value(name))
		}
	}
	if limit := m.cli.Duration("timeout"); limit < 0 {
		problems = append(problems, fmt.Errorf("--timeout %s: write a duration above zero, as in 30m", limit))
	} else if limit > 0 {
		settings["TASK_TIMEOUT_HOURS"] = strconv.FormatFloat(limit.Hours(), 'f', -1, 64)
	}
	if m.cli.Bool("full-refresh") {
		settings["FULL_SYNC"] = "true"
	}
	problems = append(problems, m.limit(settings))
	for _, flag := range markedFlags(m.cli.Command.Flags) {
		name := flag.variable()
		file := m.env.getenv(name + "_FILE")
		if !flag.secret || file == "" {
			continue
		}
		if settings[name] != "" {
			problems = append(problems, fmt.Errorf("%s and %s_FILE are both set: which one is meant?", name, name))
			continue
		}
		content, err := os.ReadFile(file)
		if err != nil {
			problems = append(problems, fmt.Errorf("%s_FILE: %w", name, err))
			continue
		}
		settings[name] = strings.TrimSpace(string(content))
	}
	return settings, errors.Join(append(problems, m.heldSettings(settings))...)
}

// limit is how many rows of each stream a read is to bring.
func (m *runMode) limit(settings map[string]string) error {
	if m.command != sidecar.CommandRead || !m.cli.IsSet("limit") {
		return nil
	}
	limit := m.cli.Int64("limit")
	for _, flag := range []string{"full-refresh", "no-state"} {
		if limit > 0 && m.cli.Bool(flag) {
			return fmt.Errorf("--limit with --%s would leave these rows alone of what was read before: use another --sync-id", flag)
		}
	}
	if limit < 0 {
		return fmt.Errorf("--limit %d: write how many rows of each stream are wanted; 0 is all", limit)
	}
	settings["STREAM_LIMIT"] = strconv.FormatInt(limit, 10)
	return nil
}

// heldElsewhere stands for the value of a setting that a Secret holds.
const heldElsewhere = "in a Secret"

// heldSettings adds the settings that a Secret of the caller's holds (--secret-key).
func (m *runMode) heldSettings(settings map[string]string) error {
	var problems []error
	for _, name := range m.cli.StringSlice("secret-key") {
		isThis := func(flag markedFlag) bool { return flag.secret && flag.variable() == name }
		switch {
		case !slices.ContainsFunc(markedFlags(m.cli.Command.Flags), isThis):
			problems = append(problems, fmt.Errorf("--secret-key %q: is not the variable of a secret, as DATABASE_URL is", name))
		case settings[name] != "":
			problems = append(problems, fmt.Errorf("--secret-key %s: it is set here, too: which one is meant?", name))
		default:
			settings[name] = heldElsewhere
		}
	}
	return errors.Join(problems...)
}
