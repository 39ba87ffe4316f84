package main

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"sync-sidecar/sidecar/bulker/bulkertest"
	"sync-sidecar/sidecar/postgres/postgrestest"
)

// grades are what doctor found, by check; of several findings of a check the last one counts.
func grades(t *testing.T, stdout string) map[string]finding {
	t.Helper()
	all := map[string]finding{}
	for line := range strings.Lines(stdout) {
		var f finding
		if err := json.Unmarshal([]byte(line), &f); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		all[f.Check] = f
	}
	return all
}

func TestDoctorOfAHealthyMachine(t *testing.T) {
	t.Parallel()
	d := newDockerLine(t)
	server, err := bulkertest.New(bulkertest.Options{Token: "T-secret"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	d.env = append(d.env, "BULKER_URL="+server.URL, "BULKER_AUTH_TOKEN=T-secret", "DATABASE_URL="+postgrestest.Database(t), "HOME="+d.dir, "KUBECONFIG=")
	got := d.run("doctor", "--sync-id", d.syncID, "-o", "json", d.image)
	if got.code != 0 {
		t.Errorf("exit code %d: %s", got.code, got.stderr)
	}
	found := grades(t, got.stdout)
	for check, want := range map[string]grade{"Docker": gradeOK, "clock": gradeOK, "containers": gradeOK, "folder": gradeOK, "image": gradeOK,
		"rows' disk": gradeOK, "spool's disk": gradeOK, "Bulker": gradeOK, "Postgres": gradeOK, "Kubernetes": gradeSkip} {
		if found[check].Grade != want {
			t.Errorf("%s: %+v, want %s", check, found[check], want)
		}
	}
	got = d.run("doctor", "--local-dir", "/proc/rows", "--pull", "never", "-o", "json", "no/such:image")
	found = grades(t, got.stdout)
	if got.code != exitEnvironment || found["image"].Grade != gradeFail || found["rows' disk"].Grade != gradeFail ||
		found["containers"].Grade != gradeSkip {
		t.Errorf("exit code %d: %s", got.code, got.stdout)
	}
	d.nothingBut("tmp")
}

func TestDoctorOfAnIllOne(t *testing.T) {
	t.Parallel()
	c := newCommandLine(t)
	c.env = append(c.env, "DOCKER_HOST=unix:///no/such/socket", "BULKER_URL=http://127.0.0.1:1", "BULKER_AUTH_TOKEN=T-secret",
		"DATABASE_URL=postgres://u:hunter2@127.0.0.1:1/x", "KUBECONFIG=/no/such/kubeconfig", "SPOOL_DIR=/proc")
	got := c.run("doctor", "--sync-id", "x")
	if got.code != exitEnvironment || !strings.Contains(got.stderr, "of the checks failed") {
		t.Errorf("exit code %d: %s", got.code, got.stderr)
	}
	for _, want := range []string{"fail  Docker ", "fail  Bulker ", "fail  Postgres ", "fail  Kubernetes ", "fail  spool's disk ", "skip  containers "} {
		if !strings.Contains(got.stdout, want) {
			t.Errorf("lacks %q: %s", want, got.stdout)
		}
	}
	if strings.Contains(got.stdout+got.stderr, "hunter2") || strings.Contains(got.stdout+got.stderr, "T-secret") {
		t.Errorf("shows a secret: %s%s", got.stdout, got.stderr)
	}
	if got := c.run("doctor", "--exec", "anything", "-o", "json"); grades(t, got.stdout)["Docker"].Grade != gradeWarn {
		t.Errorf("without Docker local programs run: %s", got.stdout)
	}
}

// nothingBut fails the test when there is anything else in the folder of the command line.
func (c *commandLine) nothingBut(names ...string) {
	c.t.Helper()
	entries, err := os.ReadDir(c.dir)
	for _, entry := range entries {
		if !slices.Contains(names, entry.Name()) {
			c.t.Errorf("%s is left", entry.Name())
		}
	}
	if err != nil {
		c.t.Error(err)
	}
}

func TestDryRunStartsNothingAndShowsNoSecret(t *testing.T) {
	t.Parallel()
	d := newDockerLine(t)
	config := `{"count":10,"api_key":"sesame-key-1"}`
	got := d.run("run", "read", "--config", config, "--env", "TOKEN=open-sesame", "--memory", "1g", "--sync-id", d.syncID, "--bulker-url", "http://b:1",
		"--bulker-auth-token", "hidden-token", "--dry-run", d.image)
	if got.code != 0 {
		t.Fatalf("exit code %d: %s", got.code, got.stderr)
	}
	for _, want := range []string{"docker volume create sync-sidecar-", "# what the Engine is asked for", "-init \\\n",
		"--memory 1073741824", "--env TOKEN \\\n",
		"exec -- /source-demo read --config",
		"--env BULKER_AUTH_TOKEN_FILE=/data/secrets/BULKER_AUTH_TOKEN", "a discover comes before"} {
		if !strings.Contains(got.stdout, want) {
			t.Errorf("lacks %q:\n%s", want, got.stdout)
		}
	}
	for _, secret := range []string{"sesame", "hidden-token"} {
		if strings.Contains(got.stdout+got.stderr, secret) {
			t.Errorf("shows %q", secret)
		}
	}
	if left := d.left(""); len(left) > 0 {
		t.Errorf("made %v", left)
	}
	got = d.run("run", "spec", "--exec", d.programs.Demo+" --flag", "--env", "TOKEN=open-sesame", "--dry-run")
	if got.code != 0 || !strings.Contains(got.stdout, "exec -- "+d.programs.Demo+" --flag spec") || strings.Contains(got.stdout, "open-sesame") {
		t.Errorf("exit code %d: %s%s", got.code, got.stdout, got.stderr)
	}
	d.nothingBut("tmp")
}
