package docker

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/docker/docker/api/types/system"
)

// probe finds out whether the Engine sees the caller's folder: init answers a file in it by another one beside, which then has to be ours. Where the
// Engine is on another machine, has another file system, or maps users in another way, there is no such answer.
type probe struct {
	path string
	text []byte
	user user // who has to answer, as the container knows them
}

// Names of the question and of the answer to it (sidecar/volume.Answer).
const (
	probePrefix  = ".probe-"
	answerSuffix = ".answer"
)

// oldProbe is how old a question is that a killed run left behind.
const oldProbe = time.Hour

// newProbe asks the question in a folder. It is nil where there is no use in asking.
func newProbe(folder string, engine system.Info) (*probe, error) {
	who := user{os.Getuid(), os.Getgid()}
	switch {
	case slices.Contains(engine.SecurityOptions, "name=userns"), engine.OSType != "linux" && engine.OSType != "":
		return nil, nil //nolint:nilnil // no probe is a valid answer
	case slices.Contains(engine.SecurityOptions, "name=rootless"):
		who = root() // which is the user who started the Engine
	}
	if err := removeOldProbes(folder); err != nil {
		return nil, err
	}
	text := []byte(rand.Text())
	p := &probe{path: filepath.Join(folder, probePrefix+string(text)), text: text, user: who}
	if err := os.WriteFile(p.path, text, 0o600); err != nil {
		return nil, fmt.Errorf("write into --local-dir: %w", err)
	}
	return p, nil
}

// name is the file's name in the folder.
func (p *probe) name() string { return filepath.Base(p.path) }

// answered says whether a container has answered as this process would have.
func (p *probe) answered() bool {
	answer, err := os.ReadFile(p.path + answerSuffix)
	if err != nil || !bytes.Equal(answer, p.text) {
		return false
	}
	info, err := os.Lstat(p.path + answerSuffix)
	if err != nil {
		return false
	}
	status, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(status.Uid) == os.Getuid()
}

// remove takes question and answer away.
func (p *probe) remove() error {
	var problems []error
	for _, path := range []string{p.path, p.path + answerSuffix} {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			problems = append(problems, fmt.Errorf("tidy up --local-dir: %w", err))
		}
	}
	return errors.Join(problems...)
}

// removeOldProbes removes those of killed runs.
func removeOldProbes(folder string) error {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return fmt.Errorf("look into --local-dir: %w", err)
	}
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil || !strings.HasPrefix(entry.Name(), probePrefix) || time.Since(info.ModTime()) < oldProbe {
			continue
		}
		if err := os.Remove(filepath.Join(folder, entry.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("tidy up --local-dir: %w", err)
		}
	}
	return nil
}
