package shim

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/google/shlex"

	"sync-sidecar/sidecar/pipe"
)

// commands are what an Airbyte source can be asked for.
var commands = []string{"spec", "check", "discover", "read"}

// Command is the command line of the connector, from the arguments that were given, AIRBYTE_ENTRYPOINT and the connector's environment:
//
//   - `python main.py read --config c.json`: a whole command line is taken as it is;
//   - `read --config c.json`: when the first argument is spec, check, discover or read, and no program of that name is in PATH, AIRBYTE_ENTRYPOINT
//     goes before it;
//   - nothing: AIRBYTE_ENTRYPOINT alone.
//
// AIRBYTE_ENTRYPOINT is split into words as a shell does, with its quotes and backslashes; nothing in it is evaluated, so $VARIABLES stay as they
// are. A pair `--state FILE` or `--state=FILE` whose file does not exist, or whose name is empty, is left out, so that one command line serves the
// first run and all later ones.
func Command(args []string, entrypoint string, env []string) ([]string, error) {
	argv := slices.Clone(args)
	if needsEntrypoint(args, env) {
		words, err := shlex.Split(entrypoint)
		if err != nil {
			return nil, notFound(fmt.Errorf("AIRBYTE_ENTRYPOINT %q cannot be split into words: %w", entrypoint, err))
		}
		if len(words) == 0 {
			return nil, notFound(missing(args))
		}
		argv = append(words, args...)
	}
	return dropMissingState(argv), nil
}

// needsEntrypoint says whether the arguments are not a command line by themselves.
func needsEntrypoint(args, env []string) bool {
	if len(args) == 0 {
		return true
	}
	if !slices.Contains(commands, args[0]) {
		return false
	}
	_, err := lookPath(args[0], env)
	return err != nil
}

// missing says what to do when there is nothing to run.
func missing(args []string) error {
	const next = "set AIRBYTE_ENTRYPOINT, or give the connector's whole command line: sync-sidecar exec -- PROGRAM ARGUMENT…"
	if len(args) == 0 {
		return errors.New("nothing to run: no command after -- and no AIRBYTE_ENTRYPOINT in this container; " + next)
	}
	return fmt.Errorf("%q is no program here, and there is no AIRBYTE_ENTRYPOINT in this container to pass it to; %s", args[0], next)
}

// dropMissingState leaves out --state with a file that is not there.
func dropMissingState(argv []string) []string {
	const flag = "--state"
	var kept []string
	for at := 0; at < len(argv); at++ {
		if file, ok := strings.CutPrefix(argv[at], flag+"="); ok && isMissing(file) {
			continue
		}
		if argv[at] == flag && at+1 < len(argv) && isMissing(argv[at+1]) {
			at++
			continue
		}
		kept = append(kept, argv[at])
	}
	return kept
}

// isMissing says that there is no such file. One that cannot be looked at is for the connector to complain about.
func isMissing(file string) bool {
	if file == "" {
		return true
	}
	_, err := os.Stat(file)
	return errors.Is(err, fs.ErrNotExist)
}

// notFound is the failure that a shell reports with 127.
func notFound(err error) error {
	return &startError{status: pipe.ExitStatus{Code: codeNotFound}, err: err}
}

// notExecutable is the failure that a shell reports with 126.
func notExecutable(err error) error {
	return &startError{status: pipe.ExitStatus{Code: codeNotExecutable}, err: err}
}
