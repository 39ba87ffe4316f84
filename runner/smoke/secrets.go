package smoke

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"sync-sidecar/sidecar/recording"
	"sync-sidecar/sidecar/secret"
)

// rowSecret is the length in bytes from which a secret is looked for in rows: a shorter one may be there by chance, as the word admin is.
const rowSecret = 8

// watcher finds the secrets of a configuration in what a connector writes.
type watcher struct {
	all, long *secret.Masker
	shapes    *secret.Masker // knows no secret, only their shapes
	any       bool
}

func newWatcher(secrets []string) *watcher {
	w := &watcher{all: secret.NewMasker(secrets...), long: secret.NewMasker(), shapes: secret.NewMasker(), any: len(secrets) > 0}
	for _, one := range secrets {
		if len(one) >= rowSecret {
			w.long.Add(one)
		}
	}
	return w
}

// sees says whether a line holds a secret. A CONTROL message may: it is how a connector hands its configuration over.
func (w *watcher) sees(line []byte) bool {
	masker := w.all
	switch {
	case bytes.Contains(line, []byte(`"CONTROL"`)) && bytes.Contains(line, []byte(`"connectorConfig"`)):
		return false
	case bytes.Contains(line, []byte(`"record"`)):
		masker = w.long
	}
	text := string(line)
	return masker.Mask(text) != w.shapes.Mask(text)
}

// lines looks through an output for secrets of the configuration, notes where the lines of stdout end, and what those of stderr say of a failure.
func (r *reading) lines(dir, output string) error {
	file, err := recording.Output(dir, output)
	if err != nil {
		return err
	}
	defer file.Close()
	var number, end int64
	return eachLine(file, func(line []byte) error {
		number++
		if r.watcher.any && r.watcher.sees(line) {
			r.Leaks = append(r.Leaks, Leak{Step: r.Step, Output: output, Line: number})
		}
		if output != recording.StdoutFile {
			r.stderr.Add(r.masker.Mask(string(bytes.TrimSuffix(line, []byte("\n")))), false)
			return nil
		}
		if end += int64(len(line)); int64(len(line)) > r.Longest.Bytes {
			r.Longest = Line{number, int64(len(line))}
		}
		r.ends = append(r.ends, end)
		return nil
	})
}

// eachLine hands over each line with its line feed.
func eachLine(from io.Reader, take func([]byte) error) error {
	lines := bufio.NewReaderSize(from, 1<<20)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			if taken := take(line); taken != nil {
				return taken
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read the recording: %w", err)
		}
	}
}
