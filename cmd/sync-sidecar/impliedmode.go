package main

import (
	"encoding/json"
	"slices"
	"strings"

	"sync-sidecar/sidecar/logs"
)

// withImpliedMode is the command line of the process. Jitsu's sync-controller gives the sidecar's container no command and no arguments, only an
// environment (jitsucom/bulker, sync-controller/job_runner.go): then COMMAND or a pipe in it says that the sidecar is meant. Otherwise a call without
// arguments shows the help.
func withImpliedMode(args []string, getenv func(string) string) []string {
	if len(args) != 1 {
		return args
	}
	for _, variable := range []string{"COMMAND", "STDOUT_PIPE_FILE", "STDERR_PIPE_FILE"} {
		if getenv(variable) != "" {
			return []string{args[0], sidecarMode}
		}
	}
	return args
}

// functionsVariable is where Jitsu's sync-controller puts the environment of a connection's functions, as JSON.
const functionsVariable = "FUNCTIONS_ENV"

// noteUnused tells which variables Jitsu's sync-controller set in vain. Values are not told: some are secrets.
func noteUnused(environ []string, logger *logs.Logger) {
	names, functions := unusedVariables(environ)
	if len(names) > 0 {
		logger.Debug("set in the environment and not used: " + strings.Join(names, ", "))
	}
	if functions {
		logger.Warn(functionsVariable + " is set, but functions are not run here: rows are delivered as the connector sends them")
	}
}

// unusedVariables are the names of the variables that Jitsu's own sidecar reads and ours does not, sorted, as far as they are set; functions says
// that there are functions among them, whose absence changes what is delivered.
func unusedVariables(environ []string) (names []string, functions bool) {
	for _, pair := range environ {
		name, value, _ := strings.Cut(pair, "=")
		switch {
		case value == "":
		case name == functionsVariable:
			names, functions = append(names, name), !emptyObject(value)
		case name == "LOCAL_INGEST_ENDPOINT", name == "GLOBAL_INGEST_ENDPOINT", strings.HasPrefix(name, "CLICKHOUSE_"):
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, functions
}

// emptyObject says that a JSON text holds nothing.
func emptyObject(text string) bool {
	var members map[string]json.RawMessage
	return json.Unmarshal([]byte(text), &members) == nil && len(members) == 0
}
