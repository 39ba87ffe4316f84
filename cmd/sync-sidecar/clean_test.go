package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// eachOrderOnce fails the test unless the folder has these orders, each once.
func (d *dockerLine) eachOrderOnce(count int) {
	d.t.Helper()
	content, err := os.ReadFile(filepath.Join(d.dir, "sync-data", d.syncID, "rows", "orders.ndjson"))
	if err != nil {
		d.t.Fatal(err)
	}
	seen := map[int]bool{}
	for line := range bytes.Lines(content) {
		var row struct{ ID int }
		if err := json.Unmarshal(line, &row); err != nil || seen[row.ID] {
			d.t.Fatalf("%v: row %s, which is there twice: %t", err, line, seen[row.ID])
		}
		seen[row.ID] = true
	}
	if len(seen) != count {
		d.t.Errorf("%d orders, want %d", len(seen), count)
	}
}

// Whenever a run is killed, clean finds and removes all that it left, the rows that were acknowledged stay, and the next run brings the others.
func TestCleanAfterKillsAtRandom(t *testing.T) {
	t.Parallel()
	d := newDockerLine(t)
	random := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0))
	rounds := 12
	if many, err := strconv.Atoi(os.Getenv("KILL_RUNS")); err == nil {
		rounds = many
	}
	const config = `{"counts":{"orders":3000},"rate":300,"records_per_state":10}`
	read := []string{"run", "read", "--config", config, "--streams", "orders", "--sync-id", d.syncID, d.image}
	for round := range rounds {
		command, _, _ := d.command(read...)
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(random.IntN(2000)) * time.Millisecond)
		if err := command.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		codeOf(t, command.Wait())
		before := d.acknowledged()
		if got := d.run("clean"); got.code != 0 || len(d.left("")) > 0 && !strings.Contains(got.stdout, "its run was killed") {
			t.Errorf("round %d: exit code %d, %v is left: %s%s", round, got.code, d.left(""), got.stdout, got.stderr)
		}
		if got := d.run("clean", "--remove"); got.code != 0 || len(d.left("")) > 0 {
			t.Errorf("round %d: exit code %d, %v is left: %s", round, got.code, d.left(""), got.stderr)
		}
		if after := d.acknowledged(); after < before {
			t.Errorf("round %d: %d bytes were acknowledged, now %d", round, before, after)
		}
	}
	if got := d.run(slices.Replace(slices.Clone(read), 3, 4, `{"counts":{"orders":3000}}`)...); got.code != 0 {
		t.Errorf("exit code %d: %s", got.code, got.stderr)
	}
	d.eachOrderOnce(3000)
}

// acknowledged is how many bytes of orders the saved state covers; the file must have them.
func (d *dockerLine) acknowledged() int64 {
	d.t.Helper()
	content, err := os.ReadFile(filepath.Join(d.dir, "sync-data", d.syncID, "state.json"))
	if errors.Is(err, os.ErrNotExist) {
		return 0
	}
	var record struct {
		Files map[string]struct {
			Committed int64 `json:"committed_bytes"`
		}
	}
	if err := errors.Join(err, json.Unmarshal(content, &record)); err != nil {
		d.t.Fatal(err)
	}
	committed := record.Files["rows/orders.ndjson"].Committed
	info, err := os.Stat(filepath.Join(d.dir, "sync-data", d.syncID, "rows", "orders.ndjson"))
	if committed > 0 && (err != nil || info.Size() < committed) {
		d.t.Errorf("%d bytes are acknowledged: %v, %v", committed, info, err)
	}
	return committed
}

func TestCleanWithoutAnEngineListsFolders(t *testing.T) {
	t.Parallel()
	c := newCommandLine(t)
	c.env = append(c.env, "DOCKER_HOST=unix:///no/such/socket", "TMPDIR="+c.dir)
	if got := c.run("clean"); got.code != exitEnvironment || !strings.Contains(got.stderr, "no Docker Engine answers") {
		t.Errorf("exit code %d: %s", got.code, got.stderr)
	}
	command, _, _ := c.command("run", "read", "--exec", c.programs.Demo, "--config", `{"rate":10}`)
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if found, err := filepath.Glob(filepath.Join(c.dir, "sync-sidecar-*")); err == nil && len(found) > 0 {
			break
		}
	}
	if err := command.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	codeOf(t, command.Wait())
	// Nothing runs on: the sidecar is told to end, and records that.
	task := filepath.Join(c.dir, "sync-data", "source-demo", "task.json")
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if text, err := os.ReadFile(task); err != nil || !strings.Contains(string(text), "RUNNING") { // it may not have begun
			break
		}
		if time.Now().After(deadline) {
			t.Error("the sidecar runs on")
			break
		}
	}
	got := c.run("clean")
	if got.code != 0 || !strings.Contains(got.stdout, "folder") || !strings.Contains(got.stderr, "--remove") {
		t.Errorf("exit code %d: %s%s", got.code, got.stdout, got.stderr)
	}
	if got := c.run("clean", "--remove"); got.code != 0 {
		t.Errorf("exit code %d: %s", got.code, got.stderr)
	}
	if left, err := filepath.Glob(filepath.Join(c.dir, "sync-sidecar-*")); err != nil || len(left) > 0 {
		t.Errorf("%v is left, %v", left, err)
	}
}
