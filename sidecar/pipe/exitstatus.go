package pipe

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"sync-sidecar/sidecar/atomicfile"
)

// ExitStatus is how a connector ended.
type ExitStatus struct {
	// Code is its exit code; 128+n when signal n ended it, 127 when there was no such program, 126 when it could not be executed.
	Code int
	// Signal is the name of the signal that ended it, as in SIGKILL; empty when it exited by itself.
	Signal string
	// OutOfMemory says that the kernel killed a process of the container for want of memory while the connector ran.
	OutOfMemory bool
	// Stopped is the name of the signal by which somebody asked the shim to end, as the kubelet does with the container of a Pod that is deleted;
	// empty while nobody did. It is there as soon as the signal comes, also while the connector runs.
	Stopped string
}

// Phase is what an exit status file can say.
type Phase int

// The phases of a connector under the shim.
const (
	// Absent: there is no file, so the connector was started without the shim, or not yet.
	Absent Phase = iota
	// Running: the shim started and has not ended. Once its pipes are at EOF this means that the shim itself was killed, and the connector with it.
	Running
	// Finished: the connector ended as ExitStatus says.
	Finished
)

// Status is what the exit status file says. ExitStatus is meaningful when Phase is Finished; of it, Stopped always is.
type Status struct {
	Phase Phase
	ExitStatus
}

// Words of the file: one line, "running" or "<code>[ <signal>[ <outOfMemory>]]", with "stopped-by-<signal>" at its end once somebody asked for that.
const (
	wordRunning     = "running"
	wordNoSignal    = "-"
	wordOutOfMemory = "out-of-memory"
	wordStopped     = "stopped-by-"
)

// maxExitStatusBytes bounds what is read: anything longer is not ours.
const maxExitStatusBytes = 256

// WriteRunning says that the shim has started; it replaces what an earlier run left.
func WriteRunning(path string) error { return writeStatus(path, wordRunning) }

// WriteExitStatus says how the connector ended. It is there whole or not at all: written beside and renamed into place.
func WriteExitStatus(path string, status ExitStatus) error {
	words := []string{strconv.Itoa(status.Code)}
	if status.Signal != "" {
		words = append(words, status.Signal)
	}
	if status.OutOfMemory {
		if status.Signal == "" {
			words = append(words, wordNoSignal)
		}
		words = append(words, wordOutOfMemory)
	}
	if status.Stopped != "" {
		words = append(words, wordStopped+status.Stopped)
	}
	return writeStatus(path, strings.Join(words, " "))
}

// MarkStopped adds to what the shim has said so far that somebody asked it to end.
func MarkStopped(path, signal string) error {
	status, err := ReadExitStatus(path)
	switch {
	case err != nil || status.Phase == Absent || status.Stopped != "":
		return err
	case status.Phase == Running:
		return writeStatus(path, wordRunning+" "+wordStopped+signal)
	}
	status.Stopped = signal
	return WriteExitStatus(path, status.ExitStatus)
}

// SignalNumber is the number of a signal by its name, as in SIGTERM; 0 for a name that is none.
func SignalNumber(name string) int { return int(unix.SignalNum(name)) }

// ReadExitStatus reads what the shim has said so far.
func ReadExitStatus(path string) (Status, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Status{Phase: Absent}, nil
	}
	if err != nil {
		return Status{}, fmt.Errorf("read exit status: %w", err)
	}
	// A pipe would block for ever, and a large file is not worth reading.
	if !info.Mode().IsRegular() || info.Size() > maxExitStatusBytes {
		return Status{}, fmt.Errorf("exit status file %s is a %s of %d bytes: it was not written by `sync-sidecar exec`",
			path, kind(info.Mode()), info.Size())
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return Status{}, fmt.Errorf("read exit status: %w", err)
	}
	status, ok := parseStatus(text)
	if !ok {
		return Status{}, fmt.Errorf("exit status file %s holds %.40q: it was not written by `sync-sidecar exec`", path, text)
	}
	return status, nil
}

// RemoveExitStatus removes what an earlier run left, if anything.
func RemoveExitStatus(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove the exit status of an earlier run: %w", err)
	}
	return nil
}

// parseStatus reads the one line of the file.
func parseStatus(text []byte) (Status, bool) {
	line, found := strings.CutSuffix(string(text), "\n")
	if !found {
		return Status{}, false
	}
	words := strings.Split(line, " ")
	signal, stopped := strings.CutPrefix(words[len(words)-1], wordStopped)
	if stopped && signal == "" {
		return Status{}, false
	}
	if stopped {
		words = words[:len(words)-1]
	} else {
		signal = ""
	}
	if len(words) == 1 && words[0] == wordRunning {
		return Status{Phase: Running, ExitStatus: ExitStatus{Stopped: signal}}, true
	}
	status, ok := parseFinished(words)
	status.Stopped = signal
	return status, ok
}

// parseFinished reads how the connector ended.
func parseFinished(words []string) (Status, bool) {
	if len(words) == 0 || len(words) > 3 {
		return Status{}, false
	}
	code, err := strconv.Atoi(words[0])
	if err != nil || code < 0 || code > 255 {
		return Status{}, false
	}
	status := Status{Phase: Finished, ExitStatus: ExitStatus{Code: code}}
	if len(words) > 1 && words[1] != wordNoSignal {
		status.Signal = words[1]
	}
	if len(words) == 3 {
		if words[2] != wordOutOfMemory {
			return Status{}, false
		}
		status.OutOfMemory = true
	}
	return status, true
}

// writeStatus puts one line at the path. It is not brought to the disk: the readers share a running kernel with us, and after its crash there is
// nobody left to read for. The sidecar may be another user.
func writeStatus(path, line string) error {
	err := atomicfile.Write(path, strings.NewReader(line+"\n"), atomicfile.Options{Mode: 0o644, Unsynced: true})
	if err != nil {
		return fmt.Errorf("write exit status: %w", err)
	}
	return nil
}
