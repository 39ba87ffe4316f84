package local

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
)

// TestKill: whenever a read is killed, and however often, the next ones end with each row exactly once, and no state is ever ahead of its rows.
// LOCAL_TEST_CHAINS makes it more than 24 chains of reads.
func TestKill(t *testing.T) {
	t.Parallel()
	chains := 24
	if more := os.Getenv("LOCAL_TEST_CHAINS"); more != "" {
		var err error
		chains, err = strconv.Atoi(more)
		must(t, err)
	}
	for seed := range chains {
		t.Run(strconv.Itoa(seed), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			random := rand.New(rand.NewPCG(uint64(seed), 2))
			kills := 0
			for read := 0; runChild(t, dir, seed, read, random); read++ {
				checkKilled(t, dir)
				if kills++; kills > 500 {
					t.Fatal("500 reads were killed and none came to its end")
				}
			}
			checkFinished(t, dir)
			t.Logf("%d kills", kills)
		})
	}
}

// runChild starts a read and kills it after a random number of its lines; false when it ended by itself before.
func runChild(t *testing.T, dir string, seed, read int, random *rand.Rand) (killed bool) {
	t.Helper()
	program, err := os.Executable()
	must(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, program)
	command.Env = append(os.Environ(), "LOCAL_TEST_CHILD="+dir, "LOCAL_TEST_SEED="+strconv.Itoa(seed+4*read)) // steps of 4 keep the mode
	var stderr bytes.Buffer
	command.Stderr = &stderr
	stdout, err := command.StdoutPipe()
	must(t, err)
	must(t, command.Start())
	lines, last := bufio.NewScanner(stdout), random.IntN(30+10*read)
	for line := 0; lines.Scan(); line++ {
		if line == last {
			must(t, command.Process.Kill())
			break
		}
	}
	err = command.Wait()
	exit := (*exec.ExitError)(nil)
	if errors.As(err, &exit) && exit.ExitCode() == -1 && ctx.Err() == nil {
		return true
	}
	if err != nil {
		t.Fatalf("read %d: %v: %s", seed, err, stderr.String())
	}
	return false
}

// checkKilled checks what must hold at any instant.
func checkKilled(t *testing.T, dir string) {
	t.Helper()
	folder := filepath.Join(dir, "sync")
	saved, err := readRecord(folder)
	must(t, err)
	states, err := saved.saved()
	must(t, err)
	for _, state := range states {
		if state.Key == sidecar.GlobalStateKey {
			continue
		}
		n, err := strconv.Atoi(string(state.State))
		must(t, err)
		file := saved.Files[RowsFile(state.Stream)]
		content := contentOf(t, dir, state.Key)
		if file.Next == nil && int64(len(content)) < file.Committed {
			t.Fatalf("%s has %d bytes and a state that vouches for %d", state.Key, len(content), file.Committed)
		}
		if state.Key == "users" && !strings.HasPrefix(content, childText("users", 0, n)) {
			t.Fatalf("the state of users is %d, ahead of its rows", n)
		}
	}
	checkOrders(t, dir)
}

// checkFinished checks the files after a read that came to its end.
func checkFinished(t *testing.T, dir string) {
	t.Helper()
	if got, want := contentOf(t, dir, "users"), childText("users", 0, childRows); got != want {
		t.Errorf("users has %d rows, want %d, each once", strings.Count(got, "\n"), childRows)
	}
	if got, want := contentOf(t, dir, "items"), childText("items", childRows-childKeys, childRows); got != want {
		t.Errorf("items is\n%s\nwant the last row of each key", brief([]byte(got)))
	}
	got, once := contentOf(t, dir, "events"), childText("events", 0, childRows)
	if reads := len(got) / len(once); reads < 1 || got != strings.Repeat(once, reads) {
		t.Errorf("events has %d rows, want whole reads", strings.Count(got, "\n"))
	}
	checkOrders(t, dir)
	if contentOf(t, dir, "orders") == "" {
		t.Error("orders has no rows")
	}
}

// checkOrders: the file that is overwritten holds one whole read, or is not there yet (I6).
func checkOrders(t *testing.T, dir string) {
	t.Helper()
	content := contentOf(t, dir, "orders")
	if content == "" {
		return
	}
	tag, _, _ := strings.Cut(content, ",")
	if got := strings.ReplaceAll(content, tag+",", "{"); got != childText("orders", 0, childRows) {
		t.Fatalf("orders is no whole read: %d rows", strings.Count(content, "\n"))
	}
}

// contentOf is the rows of a stream; "" when there is no file.
func contentOf(t *testing.T, dir, name string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(dir, "sync", RowsFile(airbyte.StreamDescriptor{Name: name})))
	if errors.Is(err, os.ErrNotExist) {
		return ""
	}
	must(t, err)
	return string(content)
}
