package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
)

// peers says where the programs are that the sidecar is compared with.
type peers struct {
	python string // of a virtual environment with PyAirbyte
	script string // that reads a source with PyAirbyte
	faker  string // Airbyte's source-faker

	dlt       string // Python of a virtual environment with dlt
	dltScript string // that reads the output of a source with dlt
}

func (p *peers) addFlags(flags *flag.FlagSet) {
	flags.StringVar(&p.python, "python", ".cache/pyairbyte/bin/python", "`program`: Python with PyAirbyte")
	flags.StringVar(&p.script, "pyairbyte", "scripts/bench/pyairbyte.py", "`file` of the script that reads a source with PyAirbyte")
	flags.StringVar(&p.dlt, "dlt-python", ".cache/dlt/bin/python", "`program`: Python with dlt")
	flags.StringVar(&p.dltScript, "dlt", "scripts/bench/todlt.py", "`file` of the script that reads the output of a source with dlt")
	flags.StringVar(&p.faker, "faker", ".cache/source-faker/bin/source-faker", "`program`: Airbyte's source-faker")
}

// fakerConfig gives 100,100 rows in three streams, 45 MB.
const fakerConfig = `{"count":50000,"seed":7,"records_per_slice":1000,"always_updated":false,"parallelism":2}`

// comparePeers compares with PyAirbyte on the recorded output of source-faker, and with source-faker alone on the live one.
func comparePeers(ctx context.Context, o options, out io.Writer) error {
	for _, path := range []*string{&o.peers.python, &o.peers.script, &o.peers.faker} {
		var err error
		if *path, err = filepath.Abs(*path); err != nil {
			return err
		}
	}
	r, err := record(ctx, o)
	if err != nil {
		return err
	}
	return errors.Join(r.besidePyAirbyte(ctx, o, out), r.besideSource(ctx, o, out))
}

// recording is what source-faker said, and a source that repeats it.
type recording struct {
	config, catalog string
	replay          string // a source: spec, check, discover and read by `cat`
	rows            float64
}

// recordings is how often the rows are repeated in the replay.
const recordings = 4

// record asks source-faker everything and writes a source that repeats the answers.
func record(ctx context.Context, o options) (*recording, error) {
	path := func(name string) string { return filepath.Join(o.scratch, name) }
	r := &recording{config: path("faker.json"), catalog: path("faker-catalog.json"), replay: path("source-replay")}
	if err := os.WriteFile(r.config, []byte(fakerConfig), 0o600); err != nil {
		return nil, err
	}
	if err := configureCatalog(ctx, o, o.peers.faker, r.config, r.catalog); err != nil {
		return nil, err
	}
	for name, arguments := range map[string][]string{
		"spec": {"spec"}, "check": {"check", "--config", r.config}, "discover": {"discover", "--config", r.config},
		"read": {"read", "--config", r.config, "--catalog", r.catalog},
	} {
		answer, err := exec.CommandContext(ctx, o.peers.faker, arguments...).Output()
		if err != nil {
			return nil, fmt.Errorf("source-faker %s: %w", name, err)
		}
		if name == "read" {
			answer = r.repeat(answer)
		}
		if err := os.WriteFile(path(name+".ndjson"), answer, 0o600); err != nil {
			return nil, err
		}
	}
	script := "#!/bin/sh\nexec cat " + o.scratch + "/\"$1\".ndjson\n"
	return r, os.WriteFile(r.replay, []byte(script), 0o700)
}

// repeat repeats the rows and states of a read; the ends of the streams come after them, everything else before.
func (r *recording) repeat(read []byte) []byte {
	var head, body, end []byte
	for line := range bytes.Lines(read) {
		switch {
		case bytes.HasPrefix(line, []byte(`{"type":"RECORD"`)):
			r.rows += recordings
			body = append(body, line...)
		case bytes.HasPrefix(line, []byte(`{"type":"STATE"`)):
			body = append(body, line...)
		case bytes.Contains(line, []byte(`"COMPLETE"`)):
			end = append(end, line...)
		default:
			head = append(head, line...)
		}
	}
	return slices.Concat(head, bytes.Repeat(body, recordings), end)
}

// besidePyAirbyte compares both on the replay: rows into files here, into DuckDB there, which is where PyAirbyte keeps them.
func (r *recording) besidePyAirbyte(ctx context.Context, o options, out io.Writer) error {
	results, err := play(ctx, o.rounds,
		contestant{"PyAirbyte", func(ctx context.Context) (usage, error) { return r.pyAirbyte(ctx, o) }},
		contestant{"sync-sidecar", func(ctx context.Context) (usage, error) { return runRead(ctx, o, r.replay, r.config, "") }})
	if err != nil {
		return err
	}
	t := newTable(out, fmt.Sprintf("PyAirbyte: %.0f recorded rows of source-faker by `cat` (medians of %d rounds)", r.rows, o.rounds),
		"program", "s", "krows/s", "CPU s", "peak MiB of all", "ratios")
	peer, ours := results[0], results[1]
	for i, name := range []string{"PyAirbyte", "run read --exec"} {
		ratios := ""
		if i == 1 {
			ratios = "rows/s × " + atLeast("%.1f", peer.wallRatio(ours), 20) + ", memory ÷ " + atLeast("%.1f", peer.peak()/ours.peak(), 8)
		}
		t.row(name, number("%.2f", results[i].wall()), number("%.0f", r.rows/1e3/results[i].wall()), number("%.2f", results[i].cpu()),
			number("%.0f", results[i].peak()), ratios)
	}
	return t.end()
}

// pyAirbyte reads the replay with PyAirbyte.
func (r *recording) pyAirbyte(ctx context.Context, o options) (usage, error) {
	folder, err := os.MkdirTemp(o.scratch, "pyairbyte-")
	if err != nil {
		return usage{}, err
	}
	command := exec.CommandContext(ctx, o.peers.python, o.peers.script, r.replay, r.config)
	command.Dir = folder
	command.Env = append(os.Environ(), "AIRBYTE_OFFLINE_MODE=1", "DO_NOT_TRACK=1", "AIRBYTE_CACHE_ROOT="+folder)
	used, err := timed(func() (usage, error) { return runProgram(command) })
	return used, errors.Join(err, os.RemoveAll(folder))
}

// besideSource compares a read of source-faker with the source alone.
func (r *recording) besideSource(ctx context.Context, o options, out io.Writer) error {
	results, err := play(ctx, o.rounds,
		contestant{"alone", func(ctx context.Context) (usage, error) {
			return timed(func() (usage, error) {
				return runProgram(exec.CommandContext(ctx, o.peers.faker, "read", "--config", r.config, "--catalog", r.catalog))
			})
		}},
		contestant{"run read", func(ctx context.Context) (usage, error) {
			return runRead(ctx, o, o.peers.faker, r.config, "", "--catalog", r.catalog)
		}})
	if err != nil {
		return err
	}
	t := newTable(out, fmt.Sprintf("source-faker: %.0f rows, beside the source alone > /dev/null (medians of %d rounds)", r.rows/recordings, o.rounds),
		"program", "s", "CPU s of all", "peak MiB of all", "time ÷ alone")
	t.row("source-faker read > /dev/null", number("%.2f", results[0].wall()), number("%.2f", results[0].cpu()), number("%.0f", results[0].peak()), "1")
	t.row("run read --exec source-faker", number("%.2f", results[1].wall()), number("%.2f", results[1].cpu()), number("%.0f", results[1].peak()),
		atMost("%.2f", results[1].wallRatio(results[0]), 1.1))
	return t.end()
}
