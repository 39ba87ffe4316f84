package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// session is a real sidecar that reads what a source writes into its pipes.
type session struct {
	folder  string
	process *process
}

// destination says where the sidecar delivers: to a server, or, when it is empty, into a folder.
type destination string

// startSession starts a sidecar; its pipes are there.
func startSession(ctx context.Context, o options, catalog []byte, to destination) (*session, error) {
	return startReading(ctx, o, input{catalog: catalog}, to)
}

// input is what a sidecar is given beside its pipes.
type input struct {
	catalog []byte
	state   []byte   // nil is none
	data    string   // the folder of what is delivered; empty is one of the session's own
	more    []string // variables of the sidecar
}

// startReading starts a sidecar; its pipes are there.
func startReading(ctx context.Context, o options, in input, to destination) (*session, error) {
	folder, err := os.MkdirTemp(o.scratch, "session-")
	if err != nil {
		return nil, err
	}
	s := &session{folder: folder}
	if in.data == "" {
		in.data = s.path("data")
	}
	err = errors.Join(makePipes(s.path("stdout"), s.path("stderr")), os.WriteFile(s.path("catalog.json"), in.catalog, 0o600))
	if in.state != nil {
		err = errors.Join(err, os.WriteFile(s.path("state.json"), in.state, 0o600))
	}
	if err != nil {
		return nil, err
	}
	command := exec.CommandContext(ctx, filepath.Join(o.programs, "sync-sidecar"), "sidecar")
	command.Env = []string{"COMMAND=read", "STDOUT_PIPE_FILE=" + s.path("stdout"), "STDERR_PIPE_FILE=" + s.path("stderr"),
		"EXIT_STATUS_FILE=" + s.path("exit"), "CONFIG_FILE=" + s.path("config.json"), "CATALOG_FILE=" + s.path("catalog.json"),
		"STATE_FILE=" + s.path("state.json"), "LOCAL_DIR=" + in.data, "SPOOL_DIR=" + folder, "SYNC_ID=bench", "BULKER_URL=" + string(to)}
	command.Env = append(command.Env, in.more...)
	s.process, err = start(command)
	return s, err
}

func (s *session) path(name string) string { return filepath.Join(s.folder, name) }

// makePipes makes named pipes.
func makePipes(paths ...string) error {
	for _, path := range paths {
		if err := unix.Mkfifo(path, 0o600); err != nil {
			return &os.PathError{Op: "mkfifo", Path: path, Err: err}
		}
	}
	return nil
}

// feed writes the source's output and waits for the end of the sidecar. Time counts from when the pipes are open on both sides.
func (s *session) feed(ctx context.Context, write func(stdout *os.File) error) (usage, error) {
	var stderr *os.File
	var stderrErr error
	var opening sync.WaitGroup
	opening.Go(func() { stderr, stderrErr = s.process.openPipe(ctx, s.path("stderr")) })
	stdout, err := s.process.openPipe(ctx, s.path("stdout"))
	opening.Wait()
	if err := errors.Join(err, stderrErr); err != nil {
		return usage{}, err
	}
	began := time.Now()
	failed := write(stdout)
	failed = errors.Join(failed, stdout.Close(), stderr.Close())
	used, err := s.process.wait()
	used.wall = time.Since(began)
	return used, errors.Join(err, failed, os.RemoveAll(s.folder))
}

// carry is a session that reads a corpus.
func carry(ctx context.Context, o options, c corpus, blocks int64, mode string, to destination) (usage, error) {
	s, err := startSession(ctx, o, c.catalog(mode), to)
	if err != nil {
		return usage{}, err
	}
	return s.feed(ctx, func(stdout *os.File) error { return c.write(stdout, blocks) })
}
