package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/urfave/cli/v2"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/atomicfile"
)

// errStillRuns is of an init beside the connector of an earlier run, whose verdict is still to come.
var errStillRuns = errors.New("the connector of an earlier run on this volume still runs")

// recordUnprepared records that a task failed before its sidecar was started, where the environment names the task and a database: when init fails in
// a Pod, nobody else is started who could (I2). It returns the failure.
func recordUnprepared(c *cli.Context, env environment, failure error) error {
	code := exitCode(failure)
	if code == exitOK || code > exitSignal || errors.Is(failure, errStillRuns) || !c.IsSet("task-id") {
		return failure
	}
	// What is wrong with the settings is the failure, or said by it.
	s, invalid := readSettings(c, env, sidecar.Command(cmp.Or(c.String("command"), string(sidecar.CommandRead))))
	if invalid == nil && s.readDestinationConfig() != nil || s.journal.URL == "" {
		return failure // a folder's task is of the sidecar that writes there
	}
	masker := newMasker(s)
	logger, console := newLogs(env, s, masker)
	defer console.Close(closeTimeout)
	unstarted(c.Context, s, logger, code, failure)
	return failure
}

// leftFailure is how a step that was to write a file failed, and said so in a file beside it.
type leftFailure struct {
	ExitCode int    `json:"exit_code"`
	Text     string `json:"error"`
}

func failureFile(path string) string { return path + ".failure" }

// leaveFailure leaves the failure for whoever needs the file, and records the verdict. Other failures than the step's own are returned.
func leaveFailure(path string, failure error) error {
	code := exitCode(failure)
	if code == exitOK || code > exitSignal || failure.Error() == "" {
		return failure
	}
	content, err := json.Marshal(leftFailure{ExitCode: code, Text: failure.Error()})
	if err == nil {
		err = atomicfile.Replace(failureFile(path), content, 0o666)
	}
	if err != nil {
		return withCode(code, errors.Join(failure, fmt.Errorf("leave that for the sidecar: %w", err)))
	}
	return nil
}

// takeFailure is the failure that was left instead of a file that is not there; nil when none was.
func takeFailure(path string) error {
	content, err := os.ReadFile(failureFile(path))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var left leftFailure
	if err == nil {
		err = json.Unmarshal(content, &left)
	}
	if err != nil {
		return fmt.Errorf("read why it is not there: %w", err)
	}
	return withCode(left.ExitCode, errors.New(left.Text))
}

// codeOr is the exit code that an error has already, or else another.
func codeOr(err error, otherwise int) int {
	if coded := (*exitError)(nil); errors.As(err, &coded) {
		return coded.code
	}
	return otherwise
}
