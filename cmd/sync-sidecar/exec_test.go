package main

import (
	"context"
	"io"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"sync-sidecar/sidecar/pipe"
)

func TestExecRunsTheEntrypoint(t *testing.T) {
	folder := t.TempDir()
	paths := []string{filepath.Join(folder, "stdout"), filepath.Join(folder, "stderr")}
	for _, path := range paths {
		if err := pipe.Make(path); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	texts := make([]string, len(paths))
	var group sync.WaitGroup
	for at, path := range paths {
		group.Go(func() {
			file, err := pipe.OpenReader(ctx, path)
			if err != nil {
				t.Error(err)
				return
			}
			text, err := io.ReadAll(file)
			if err != nil {
				t.Error(err)
			}
			if err := file.Close(); err != nil {
				t.Error(err)
			}
			texts[at] = string(text)
		})
	}
	env := environment{
		environ: []string{"PATH=/usr/bin:/bin"},
		getenv: func(name string) string {
			return map[string]string{"AIRBYTE_ENTRYPOINT": `sh -c 'echo "$0 $*"; echo log >&2; exit 5'`}[name]
		},
	}
	code, text := runApp(t, env, "exec", "--stdout-pipe", paths[0], "--stderr-pipe", paths[1],
		"--", "read", "--config", "c.json", "--state", filepath.Join(folder, "none.json"))
	group.Wait()
	if code != 5 || text != "" {
		t.Errorf("exit code %d, %q, want the connector's 5 and nothing to say", code, text)
	}
	if texts[0] != "read --config c.json\n" || texts[1] != "log\n" {
		t.Errorf("stdout %q, stderr %q", texts[0], texts[1])
	}
	status, err := pipe.ReadExitStatus(filepath.Join(folder, "exit-status"))
	if err != nil || status.Phase != pipe.Finished || status.Code != 5 {
		t.Errorf("status %+v, %v", status, err)
	}
}

func TestExecRefuses(t *testing.T) {
	folder := t.TempDir()
	pipes := []string{"exec", "--stdout-pipe", filepath.Join(folder, "stdout"), "--stderr-pipe", filepath.Join(folder, "stderr")}
	tests := map[string]struct {
		args []string
		code int
		want string
	}{
		"no pipes":   {[]string{"--", "true"}, exitEnvironment, "sync-sidecar init"},
		"no timeout": {[]string{"--open-timeout", "0s", "--", "true"}, exitUsage, "PIPE_OPEN_TIMEOUT"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			code, text := runApp(t, environment{}, append(pipes, test.args...)...)
			if code != test.code || !strings.Contains(text, test.want) {
				t.Errorf("exit code %d, %q, want %d and %q", code, text, test.code, test.want)
			}
		})
	}
}
