package compose

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// slow is a configuration that takes a minute, with a state every ten rows; quick is the same without the wait. Only full refreshes begin again.
const (
	quick = `{"counts":{"customers":600,"products":0,"orders":400},"records_per_state":10}`
	slow  = `{"counts":{"customers":600,"products":0,"orders":400},"records_per_state":10,"rate":20}`
)

// TestStopKeepsWhatWasRead: whichever way a run is stopped, its rows stay, and the next run goes on from there: each row is there once.
func TestStopKeepsWhatWasRead(t *testing.T) {
	for version, compose := range composeVersions(t) {
		t.Run(version, func(t *testing.T) {
			for _, way := range []string{"Ctrl-C", "stop", "stop source"} {
				t.Run(way, func(t *testing.T) {
					t.Parallel()
					p := newProject(t, compose, map[string]string{"BATCH_AGE": "1s", "STATE_AGE": "100ms"})
					p.configure(t, slow)
					up, text := p.command(t.Context(), nil, "up", "--exit-code-from", "sidecar", "sidecar")
					if err := up.Start(); err != nil {
						t.Fatal(err)
					}
					eventually(t, "rows arrive", func() bool { return p.arrived(t) > 20 })
					if way == "Ctrl-C" {
						if err := syscall.Kill(-up.Process.Pid, syscall.SIGINT); err != nil {
							t.Error(err)
						}
					} else {
						p.must(t, strings.Fields(way)...)
					}
					if err := up.Wait(); err == nil && way == "stop" { // Compose 1.29 takes Ctrl-C for a success
						t.Errorf("up succeeded:\n%s", text)
					}
					if way == "Ctrl-C" {
						// On a busy machine Compose 2 once ended before it had stopped the connector's container, too.
						p.must(t, "stop")
					}
					kept := p.arrived(t)
					if kept == 0 || kept >= 1000 {
						t.Errorf("%d rows are kept", kept)
					}
					p.configure(t, quick)
					// What came after the last state is cut off and read again: ten rows at most.
					code, output := p.up(t)
					var delivered int
					if at := strings.Index(output, "read SUCCESS; "); at >= 0 {
						_, _ = fmt.Sscanf(output[at:], "read SUCCESS; %d of", &delivered) // 0 fails below
					}
					if code != 0 || delivered < 1000-kept || delivered > 1000-kept+10 {
						t.Errorf("%d rows were kept; exit code %d and %d rows of the second run:\n%s", kept, code, delivered, output)
					}
					if got := p.arrived(t); got != 1000 {
						t.Errorf("%d rows after the second run, want 1000", got)
					}
				})
			}
		})
	}
}

// arrived is how many rows are in the local folder by now.
func (p *project) arrived(t *testing.T) int {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(p.folder, "data/demo/rows/*.ndjson"))
	if err != nil {
		t.Fatal(err)
	}
	rows := 0
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		rows += strings.Count(string(content), "\n")
	}
	return rows
}

// TestRestart: with restart.yaml a connector that dies again and again is started again and again, and reads all rows, each once.
func TestRestart(t *testing.T) {
	for version, compose := range composeVersions(t) {
		t.Run(version, func(t *testing.T) {
			p := newProject(t, compose, nil, "restart.yaml")
			// Each run is killed after 40 rows of orders; the third one has only 20 left.
			p.configure(t, `{"counts":{"customers":10,"products":10,"orders":100},"records_per_state":10,
				"faults":{"kill_self":{"stream":"orders","after_row":40}}}`)
			p.must(t, "up", "--detach", "sidecar")
			eventually(t, "all is read", func() bool { return p.arrived(t) == 120 && p.state(t, "sidecar") == "exited 0" })
			if got := p.state(t, "source"); got != "exited 0" {
				t.Errorf("the connector's container: %s", got)
			}
			if log := p.must(t, "logs", "sidecar"); strings.Count(log, "read PARTIAL") != 2 || strings.Count(log, "read SUCCESS") != 1 {
				t.Errorf("the log is\n%s", log)
			}
		})
	}
}

// TestSchedule: with schedule.yaml a run follows another, each with what is new and no more, until the project is stopped.
func TestSchedule(t *testing.T) {
	for version, compose := range composeVersions(t) {
		t.Run(version, func(t *testing.T) {
			p := newProject(t, compose, map[string]string{"EVERY": "4s"}, "schedule.yaml")
			p.must(t, "up", "--detach", "sidecar")
			eventually(t, "three runs", func() bool { return strings.Count(p.must(t, "logs", "sidecar"), "read SUCCESS") >= 3 })
			p.must(t, "stop")
			log := p.must(t, "logs", "sidecar")
			if runs := strings.Count(log, "read SUCCESS"); p.rows(t, "orders") != 60+10*(runs-1) || strings.Contains(log, "FAILED") {
				t.Errorf("%d rows of orders after %d runs:\n%s", p.rows(t, "orders"), runs, log)
			}
			if !strings.Contains(log, "the next read begins at") {
				t.Errorf("the log does not say when the next run begins:\n%s", log)
			}
		})
	}
}

// TestLimitsAndNetwork: what limits.yaml and network.yaml ask for is what the Engine does.
func TestLimitsAndNetwork(t *testing.T) {
	for version, compose := range composeVersions(t) {
		t.Run(version, func(t *testing.T) {
			p := newProject(t, compose, map[string]string{"SOURCE_MEMORY": "64m", "SOURCE_CPUS": "0.5", "NETWORK": "sync-sidecar-test"},
				"limits.yaml", "network.yaml")
			docker := func(args ...string) string {
				output, err := exec.CommandContext(t.Context(), "docker", args...).CombinedOutput()
				if err != nil {
					t.Fatalf("docker %s: %v: %s", args, err, output)
				}
				return strings.TrimSpace(string(output))
			}
			docker("network", "create", "sync-sidecar-test")
			defer docker("network", "rm", "sync-sidecar-test")
			p.wantUp(t, 0, "SUCCESS")
			got := docker("inspect", "--format", "{{.HostConfig.Memory}} {{.HostConfig.NanoCpus}} {{.HostConfig.NetworkMode}}", p.container(t, "source"))
			if got != "67108864 500000000 sync-sidecar-test" {
				t.Errorf("the connector's container has %s", got)
			}
			p.down(t) // before its network goes
		})
	}
}

// container is the id of a service's container.
func (p *project) container(t *testing.T, service string) string {
	t.Helper()
	output, err := exec.CommandContext(t.Context(), "docker", "ps", "--all", "--quiet", "--filter", "label=com.docker.compose.project="+p.name,
		"--filter", "label=com.docker.compose.service="+service).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(output))
}

// state is a service's container's, with its exit code.
func (p *project) state(t *testing.T, service string) string {
	t.Helper()
	output, err := exec.CommandContext(t.Context(), "docker", "inspect", "--format", "{{.State.Status}} {{.State.ExitCode}}",
		p.container(t, service)).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(output))
}
