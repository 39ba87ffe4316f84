package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
)

// demoConfig is the configuration of source-demo: a million rows of three streams.
const demoConfig = `{"count":1000000}`

// demo compares `run read` of source-demo with the source alone.
func demo(ctx context.Context, o options, out io.Writer) error {
	config, catalog := filepath.Join(o.scratch, "demo.json"), filepath.Join(o.scratch, "demo-catalog.json")
	if err := os.WriteFile(config, []byte(demoConfig), 0o600); err != nil {
		return err
	}
	source := filepath.Join(o.programs, "source-demo")
	if err := configureCatalog(ctx, o, source, config, catalog); err != nil {
		return err
	}
	s, err := startServer(ctx, o)
	if err != nil {
		return err
	}
	results, err := play(ctx, o.rounds,
		contestant{"alone", func(ctx context.Context) (usage, error) {
			return timed(func() (usage, error) {
				return runProgram(exec.CommandContext(ctx, source, "read", "--config", config, "--catalog", catalog))
			})
		}},
		contestant{"local folder", func(ctx context.Context) (usage, error) { return runRead(ctx, o, source, config, "") }},
		contestant{"server", func(ctx context.Context) (usage, error) { return runRead(ctx, o, source, config, s.url) }})
	if err = errors.Join(err, s.stop()); err != nil {
		return err
	}
	title := "Demo: `run read --exec source-demo` of a million rows, beside `source-demo read > /dev/null` (medians of %d rounds)"
	t := newTable(out, fmt.Sprintf(title, o.rounds),
		"to", "s", "krows/s", "CPU s of all", "peak MiB of all", "time ÷ alone")
	for i, name := range []string{"/dev/null (alone)", "local folder", "server"} {
		t.row(name, number("%.2f", results[i].wall()), number("%.0f", 1000/results[i].wall()), number("%.2f", results[i].cpu()),
			number("%.0f", results[i].peak()), number("%.2f", results[i].wallRatio(results[0])))
	}
	return t.end()
}

// runProgram runs a program to its end; its output is discarded.
func runProgram(command *exec.Cmd) (usage, error) {
	p, err := start(command)
	if err != nil {
		return usage{}, err
	}
	return p.wait()
}

// runRead is `run read --exec`, into a new folder or to a server.
func runRead(ctx context.Context, o options, source, config, server string, more ...string) (usage, error) {
	folder, err := os.MkdirTemp(o.scratch, "run-")
	if err != nil {
		return usage{}, err
	}
	arguments := []string{"run", "read", "--exec", source, "--config", config, "--quiet", "--local-dir", folder, "--sync-id", "bench"}
	command := exec.CommandContext(ctx, filepath.Join(o.programs, "sync-sidecar"), append(arguments, more...)...)
	command.Env = append(os.Environ(), "BULKER_URL="+server, "DATABASE_URL=")
	used, err := timed(func() (usage, error) { return runProgram(command) })
	return used, errors.Join(err, os.RemoveAll(folder))
}

// configureCatalog writes a catalog of all streams of a source, incremental with append and dedup, which is what `run read` takes by itself.
func configureCatalog(ctx context.Context, o options, source, config, path string) error {
	var stderr bytes.Buffer
	command := exec.CommandContext(ctx, filepath.Join(o.programs, "sync-sidecar"), "run", "discover", "--exec", source, "--config", config, "--quiet",
		"--local-dir", filepath.Join(o.scratch, "discover"), "--output", "json")
	command.Stderr = &stderr
	answer, err := command.Output()
	if err != nil {
		return fmt.Errorf("discover: %w\n%s", err, tail(stderr.String()))
	}
	var discovered struct {
		Streams []json.RawMessage `json:"streams"`
	}
	if err := json.Unmarshal(answer, &discovered); err != nil {
		return fmt.Errorf("catalog of %s: %w", source, err)
	}
	type configured struct {
		Stream json.RawMessage `json:"stream"`
		Sync   string          `json:"sync_mode"`
		Into   string          `json:"destination_sync_mode"`
	}
	var catalog struct {
		Streams []configured `json:"streams"`
	}
	for _, stream := range discovered.Streams {
		catalog.Streams = append(catalog.Streams, configured{stream, "incremental", "append_dedup"})
	}
	text, err := json.Marshal(catalog)
	if err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o600)
}
