package main

import (
	"io"
	"path/filepath"
	"strings"
	"testing"

	"sync-sidecar/sidecar/pipe"
)

// TestExecCommand: --command writes the arguments of each command of a source.
func TestExecCommand(t *testing.T) {
	files := []string{"--config-file", "c.json", "--catalog-file", "k.json", "--state-file", "/"}
	for command, want := range map[string]string{
		"spec":     "spec",
		"check":    "check --config c.json",
		"discover": "discover --config c.json",
		"read":     "read --config c.json --catalog k.json --state /",
	} {
		t.Run(command, func(t *testing.T) {
			folder := t.TempDir()
			out, logs := filepath.Join(folder, "stdout"), filepath.Join(folder, "stderr")
			texts := make(chan string, 2)
			for _, path := range []string{out, logs} {
				if err := pipe.Make(path); err != nil {
					t.Fatal(err)
				}
				go func() {
					file, err := pipe.OpenReader(t.Context(), path)
					if err != nil {
						texts <- err.Error()
						return
					}
					text, err := io.ReadAll(file)
					if err != nil {
						text = []byte(err.Error())
					}
					file.Close()
					texts <- string(text)
				}()
			}
			env := environment{environ: []string{"PATH=/usr/bin:/bin"}, getenv: func(name string) string {
				return map[string]string{"AIRBYTE_ENTRYPOINT": "echo"}[name]
			}}
			args := append([]string{"exec", "--stdout-pipe", out, "--stderr-pipe", logs, "--command", command}, files...)
			if code, text := runApp(t, env, args...); code != 0 {
				t.Errorf("exit code %d: %s", code, text)
			}
			if got := <-texts + <-texts; strings.TrimSpace(got) != want {
				t.Errorf("the connector got %q, want %q", got, want)
			}
		})
	}
	if code, text := runApp(t, environment{}, "exec", "--command", "write"); code != exitUsage || !strings.Contains(text, `--command is "write"`) {
		t.Errorf("unknown command: exit code %d, %q", code, text)
	}
}

func TestParseUser(t *testing.T) {
	if got, err := parseUser("65532:100"); err != nil || got != (userID{uid: 65532, gid: 100}) {
		t.Errorf("%+v, %v", got, err)
	}
	for _, wrong := range []string{"", "1000", "nobody:nogroup", "1:-1", "1:2:3"} {
		if got, err := parseUser(wrong); err == nil {
			t.Errorf("%q: %+v, want an error", wrong, got)
		}
	}
}
