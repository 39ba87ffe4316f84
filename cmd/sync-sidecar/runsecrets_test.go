package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sync-sidecar/runner"
	"sync-sidecar/sidecar"
)

// wantNowhere fails the test when a text stands in what a run printed or in a file that it wrote.
func (c *commandLine) wantNowhere(got ended, text string) {
	c.t.Helper()
	if strings.Contains(got.stdout+got.stderr, text) {
		c.t.Errorf("%s is shown: %s %s", text, got.stdout, got.stderr)
	}
	err := filepath.WalkDir(filepath.Join(c.dir, "sync-data"), func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if bytes.Contains(content, []byte(text)) {
			c.t.Errorf("%s holds %s", path, text)
		}
		return err
	})
	if err != nil {
		c.t.Error(err)
	}
}

// I5: a connector's environment is as secret as its configuration, whichever way it was given.
func TestRunKeepsSecretsOfTheEnvironment(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		env, args []string
		text      string // of the fault
	}{
		"--env":                {nil, []string{"--env", "API_TOKEN=hunter2-hunter2"}, "hunter2-hunter2"},
		"--env that passes on": {[]string{"API_TOKEN=hunter2-hunter2"}, []string{"--env", "API_TOKEN"}, "hunter2-hunter2"},
		"--env-file":           {nil, []string{"--env-file", "connector.env"}, "hunter2-hunter2"},
		"inherited":            {[]string{"DB_PASS=hunter2-hunter2"}, nil, "hunter2-hunter2"},
		"a URL":                {nil, []string{"--env", "DATABASE=mysql://u:hunter2-hunter2@db/x"}, "hunter2-hunter2"},
		"expanded":             {[]string{"API_TOKEN=hunter2-hunter2"}, nil, "${API_TOKEN}"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCommandLine(t)
			c.env = append(c.env, test.env...)
			if err := os.WriteFile(filepath.Join(c.dir, "connector.env"), []byte("# mine\nAPI_TOKEN=hunter2-hunter2\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			config := fmt.Sprintf(`{"count":10,"faults":{"stderr_text":{"text":"ERROR got %s"},"error_trace":{"stream":"orders","message":"sent %s"}}}`,
				test.text, test.text)
			got := c.demo("read", append([]string{"--config", config, "--verbose"}, test.args...)...)
			if got.code != exitPartial || !strings.Contains(got.stderr, "got ***") || !strings.Contains(got.stdout, "sent ***") {
				t.Errorf("exit code %d: %s %s", got.code, got.stdout, got.stderr)
			}
			c.wantNowhere(got, "hunter2")
		})
	}
}

// I5: --env without a name is often a value whose name was forgotten.
func TestRunDoesNotShowAValueWithoutAName(t *testing.T) {
	t.Parallel()
	c := newCommandLine(t)
	for _, value := range []string{"hunter2", "TOKEN: hunter2", "ghp_hunter2"} {
		got := c.demo("spec", "--env", value)
		if got.code != exitUsage || !strings.Contains(got.stderr, "--env: a variable without a value is not set") {
			t.Errorf("--env %q: exit code %d, %s", value, got.code, got.stderr)
		}
		if strings.Contains(got.stderr, "hunter2") {
			t.Errorf("--env %q: exit code %d, %s", value, got.code, got.stderr)
		}
	}
	if got := c.demo("spec", "--env", "NOT_SET_HERE"); !strings.Contains(got.stderr, "--env: NOT_SET_HERE is not set") {
		t.Errorf("a name: %s", got.stderr)
	}
}

// What the Engine, the shim and a crashed sidecar say does not go through the sidecar's own masker.
func TestRunMasksWhatTheSidecarDoesNotSee(t *testing.T) {
	t.Parallel()
	masker := newRunMasker(runner.Task{Secrets: []string{"hunter2"}, Config: []byte(`{"password":"hunter3"}`), Settings: map[string]string{
		"DATABASE_URL": "postgres://u:hunter4@db/x", "BULKER_AUTH_TOKEN": "hunter5", "BULKER_URL": "http://u:hunter6@bulker"}},
		runFlags(sidecar.CommandRead))
	const text = "hunter2 hunter3 hunter4 hunter5 hunter6"
	const want = "*** *** *** *** ***"
	hiding(masker, func(event runner.Event) {
		if event.Log.Message != want {
			t.Errorf("shown: %s", event.Log.Message)
		}
	})(runner.Note("ERROR", text))
}

// SECRETS_FILE is for a pod, where nobody but its author knows what the connector's container is given.
func TestSecretsFile(t *testing.T) {
	t.Parallel()
	p := newPod(t, string(sidecar.CommandRead), `{`+demoCounts+`,"faults":{"stderr_text":{"text":"token sesame-1 and sesame%2F2"},`+
		`"error_trace":{"stream":"orders","message":"login with sesame-1 failed"}}}`)
	path := p.path("secrets.json")
	if err := os.WriteFile(path, []byte(`{"any name":"sesame-1","b":["sesame/2"]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	p.set("SECRETS_FILE", path)
	got := p.run()
	got.want(t, exitPartial, "token *** and ***", "login with ***")
	p.wantSecret(got, "", "sesame")

	if err := os.WriteFile(path, []byte(`sesame-1`), 0o600); err != nil {
		t.Fatal(err)
	}
	got = p.run()
	got.want(t, exitUsage, "SECRETS_FILE: "+path+": not JSON")
	p.wantSecret(got, "", "sesame-1")
}
