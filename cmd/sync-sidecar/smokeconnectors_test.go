package main

import (
	"encoding/xml"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sync-sidecar/runner/smoke"
)

func TestSmokeOfTheDemoSource(t *testing.T) {
	const config = `{"records_per_state":100,"api_key":"a-very-secret-key"}`
	for name, of := range map[string]func(*testing.T) (*commandLine, []string){
		"program": func(t *testing.T) (*commandLine, []string) {
			t.Helper()
			line := newCommandLine(t)
			return line, []string{"--exec", line.programs.Demo}
		},
		"image": func(t *testing.T) (*commandLine, []string) {
			t.Helper()
			d := newDockerLine(t)
			return d.commandLine, []string{"--image", d.image, "--pull", "never"}
		},
	} {
		t.Run(name, func(t *testing.T) {
			line, connector := of(t)
			result, got := smokeJSON(t, line, append(connector, "--config", config, "--bad-config", `{"api_key":"invalid"}`)...)
			var want []string
			if name == "image" {
				want = []string{"image.entrypoint warn"} // the image of this test has no AIRBYTE_ENTRYPOINT
			}
			if got.code != 0 || !slices.Equal(unpassed(result), want) {
				t.Errorf("exit code %d, %v: %s", got.code, unpassed(result), got.stderr)
			}
			for _, check := range result.Checks {
				allowed := []string{"baseline.spec", "baseline.catalog"}
				if name == "program" {
					allowed = append(allowed, "image.entrypoint", "image.platform")
				}
				if check.Status == smoke.Skip && !slices.Contains(allowed, check.ID) {
					t.Errorf("%s was skipped: %v", check.ID, check.Evidence)
				}
			}
			t.Logf("%.1f s", result.Seconds)
			if left, err := os.ReadDir(filepath.Join(line.dir, "tmp")); err != nil || len(left) > 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
		})
	}
}

// Airbyte's own source passes. With always_updated=false its states say only that a stream was read, not how far: that is a warning.
func TestSmokeOfSourceFaker(t *testing.T) {
	for form, of := range faker(t) {
		for name, test := range map[string]struct {
			config string
			want   []string
		}{
			"by default": {`{"count":300,"records_per_slice":100}`, nil}, "once": {fakerConfig, []string{"resume.rest warn"}},
		} {
			t.Run(form+" "+name, func(t *testing.T) {
				line, connector := of(t)
				result, got := smokeJSON(t, line, append(connector, "--config", test.config)...)
				if got.code != 0 || !slices.Equal(unpassed(result), test.want) {
					t.Errorf("exit code %d, %v: %s", got.code, unpassed(result), got.stderr)
				}
				t.Logf("%.1f s", result.Seconds)
			})
		}
	}
}

// A recording, played as a connector, passes and fails the same checks, and holds no secret.
func TestReplayFindsTheSame(t *testing.T) {
	t.Parallel()
	for name, faults := range map[string]string{
		"nothing": `{}`, "rows": `{"wrong_type":{"after_row":20},"non_finite":{"after_row":30},"log_secret":{"after_row":5}}`,
		"states": `{"deviation":"state_ahead","repeat_states":true}`, "an early end": `{"kill_self":{"after_row":500}}`,
		"the way to stop": `{"deviation":"stop_exits_0","slow_stop":1}`, "a lost stop": `{"deviation":"stop_counts_ahead"}`,
		"lines": `{"cut_last_line":{"after_row":950,"code":0},"invalid_utf8":{"after_row":7}}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			line := newCommandLine(t)
			dir := filepath.Join(line.dir, "recorded")
			config := `{"api_key":"a-very-secret-key","records_per_state":50,"faults":` + faults + `}`
			// In a replay no secret is left to be found.
			first, _ := smokeJSON(t, line, "--exec", line.programs.Demo, "--config", config, "--record", dir, "--skip", "secrets",
				"--bad-config", `{"api_key":"invalid"}`)
			again, _ := smokeJSON(t, line, "--exec", line.programs.Sidecar+" replay "+dir, "--config", filepath.Join(dir, "config.json"), "--skip", "secrets",
				"--bad-config", filepath.Join(dir, "bad-config.json"))
			for i, check := range first.Checks {
				if other := again.Checks[i]; other.ID != check.ID || other.Status != check.Status {
					t.Errorf("%s: %s %q; replayed: %s %q", check.ID, check.Status, check.Evidence, other.Status, other.Evidence)
				}
			}
			err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
				if err != nil || info.IsDir() {
					return err
				}
				content, err := os.ReadFile(path)
				if strings.Contains(string(content), "a-very-secret-key") {
					t.Errorf("%s holds the secret", path)
				}
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
}

// A connector that reads streams one after the other comes to each of them, although the first is far larger than the limit.
func TestSmokeReachesEveryStream(t *testing.T) {
	t.Parallel()
	line := newCommandLine(t)
	result, got := smokeJSON(t, line, "--exec", line.programs.Demo, "--limit", "50",
		"--config", `{"counts":{"customers":400000,"products":60,"orders":400000},"records_per_state":20}`)
	if got.code != 0 || len(unpassed(result)) > 0 {
		t.Errorf("exit code %d, %v", got.code, unpassed(result))
	}
	for _, check := range result.Checks {
		if check.ID == "read.records" && !strings.Contains(check.Evidence[0], "of 3 streams") {
			t.Errorf("%v", check.Evidence)
		}
	}
}

func TestSmokeReportsEverywhere(t *testing.T) {
	t.Parallel()
	line := newCommandLine(t)
	line.env = append(line.env, "GITHUB_ACTIONS=true", "GITHUB_STEP_SUMMARY="+filepath.Join(line.dir, "summary.md"))
	in := func(name string) string { return filepath.Join(line.dir, name) }
	got := line.run("smoke", "--exec", line.programs.Demo, "--config", `{"faults":{"wrong_type":{"after_row":5},"stdout_text":{}}}`, "--junit",
		in("smoke.xml"),
		"--html", in("smoke.html"), "--record", in("recorded"))
	if got.code != 1 {
		t.Fatalf("exit code %d: %s", got.code, got.stderr)
	}
	for _, want := range []string{"FAIL  read.schema", "::error title=smoke read.schema::", "::warning title=smoke read.stdout::",
		"source-demo FAILED"} {
		if !strings.Contains(got.stdout, want) {
			t.Errorf("stdout lacks %q:\n%s", want, got.stdout)
		}
	}
	for name, want := range map[string]string{"smoke.xml": `name="read.schema"`, "smoke.html": "read.schema", "summary.md": "**read.schema**",
		"recorded/baseline.json": "connectionSpecification", "recorded/read/stdout": `"RECORD"`, "recorded/resume/state.json": "updated_at"} {
		content, err := os.ReadFile(in(name))
		if err != nil || !strings.Contains(string(content), want) {
			if name != "recorded/resume/state.json" { // which needs a state in the middle
				t.Errorf("%s: %v lacks %q", name, err, want)
			}
		}
		if strings.HasSuffix(name, ".xml") && xml.Unmarshal(content, new(struct{})) != nil {
			t.Error("the JUnit file is no XML")
		}
	}
	if strings.Contains(got.stderr, "panic") || !strings.Contains(got.stderr, "read") {
		t.Errorf("stderr: %s", got.stderr)
	}
}

// A script that crashes says why on stderr: that stands beside its exit code, without the secrets.
func TestSmokeShowsTheLastWordsOfAScript(t *testing.T) {
	t.Parallel()
	line := newCommandLine(t)
	script := `sh -c 'echo starting >&2; echo "KeyError: a-very-secret-key is no field" >&2; exit 3'`
	got := line.run("smoke", "--exec", script, "--config", `{"api_key":"a-very-secret-key"}`, "--only", "check.exit")
	want := "exit code 3\n      stderr: KeyError: "
	if got.code != 1 || !strings.Contains(got.stdout, want) || strings.Contains(got.stdout+got.stderr, "very-secret") {
		t.Errorf("exit code %d, %s%s; want %q", got.code, got.stdout, got.stderr, want)
	}
}

func TestSmokeSaysWhatIsWrongWithItsFlags(t *testing.T) {
	t.Parallel()
	line := newCommandLine(t)
	for _, test := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{}, 2, "give the connector either as an image"}, {[]string{"--exec", "x"}, 2, "needs --config FILE"},
		{[]string{"--exec", "x", "--config", "{}", "--only", "read.shema"}, 2, `no check is called "read.shema"`},
		{[]string{"--exec", "x", "--config", "{}", "--jobs", "0"}, 2, "--jobs 1 or more"},
		{[]string{"--exec", "x", "--config", "{}", "--max-memory", "much"}, 2, "--max-memory"},
		{[]string{"--exec", "x", "--config", "{}", "--baseline", filepath.Join(line.dir, "no")}, 2, "--baseline"},
		{[]string{"--exec", "x", "--config", "{}", "--bad-config", "{"}, 2, "not valid JSON"},
		{[]string{"--exec", "x", "--config", "{}", "--nonsense"}, 2, "see sync-sidecar smoke --help"},
		{[]string{"--exec", line.programs.Demo, "--config", "{}", "--streams", "custumers"}, 2, `did you mean "customers"`},
		{[]string{"--exec", "/no/such/program", "--config", "{}"}, 1, "no such file"},
		{[]string{"--exec", line.programs.Demo, "--config", "{}", "--only", "spec", "--junit", filepath.Join(line.dir, "no", "x.xml")}, 3, "--junit"},
	} {
		got := line.run(append([]string{"smoke"}, test.args...)...)
		if got.code != test.code || !strings.Contains(got.stdout+got.stderr, test.want) {
			t.Errorf("%v: exit code %d, %s%s; want %d, %q", test.args, got.code, got.stdout, got.stderr, test.code, test.want)
		}
	}
	for _, args := range [][]string{{"replay"}, {"replay", line.dir}, {"replay", line.dir, "spec"}, {"replay", line.dir, "dance"}} {
		if got := line.run(args...); got.code != 2 {
			t.Errorf("%v: exit code %d, %s", args, got.code, got.stderr)
		}
	}
}

// TestSmokeOfAProgramThatIsNotThere: one check says so, and the others wait for it.
func TestSmokeOfAProgramThatIsNotThere(t *testing.T) {
	t.Parallel()
	line := newCommandLine(t)
	result, got := smokeJSON(t, line, "--exec", "no-such-program", "--config", "{}")
	for _, found := range unpassed(result) {
		if !strings.HasPrefix(found, "spec.") {
			t.Errorf("%s, too", found)
		}
	}
	if got.code != exitFailed || len(unpassed(result)) == 0 {
		t.Errorf("exit code %d, %v: %s", got.code, unpassed(result), got.stderr)
	}
}
