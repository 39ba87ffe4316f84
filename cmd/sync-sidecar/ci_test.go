package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/image"
	"sigs.k8s.io/yaml"
)

// What .ci gives to the CI of others, run as GitHub and GitLab run it: the shell of its steps, with the variables that its inputs become.

// githubAction is the part of .ci/github/action.yml that runs a shell.
type githubAction struct {
	Inputs map[string]struct {
		Default  string `json:"default"`
		Required bool   `json:"required"`
	} `json:"inputs"`
	Outputs map[string]struct {
		Value string `json:"value"`
	} `json:"outputs"`
	Runs struct {
		Steps []struct {
			ID  string            `json:"id"`
			Run string            `json:"run"`
			Env map[string]string `json:"env"`
		} `json:"steps"`
	} `json:"runs"`
}

func readYAML(t *testing.T, text []byte, into any) {
	t.Helper()
	if err := yaml.Unmarshal(text, into); err != nil {
		t.Fatal(err)
	}
}

func TestGitHubAction(t *testing.T) {
	t.Parallel()
	line := newCommandLine(t)
	text, err := os.ReadFile("../../.ci/github/action.yml")
	if err != nil {
		t.Fatal(err)
	}
	var action githubAction
	readYAML(t, text, &action)
	for _, step := range action.Runs.Steps {
		if strings.Contains(step.Run, "${{") {
			t.Errorf("a step writes an expression into its script, where an input could be a part of it: %s", step.Run)
		}
	}
	for name, test := range map[string]struct {
		inputs map[string]string
		code   int
	}{
		"passes": {map[string]string{"bad-config": `{"api_key":"invalid"}`, "arguments": "--limit 50 --skip image"}, 0},
		"fails":  {map[string]string{"config": `{"faults":{"wrong_type":{}}}`}, 1},
		"evil":   {map[string]string{"config": `{"namespace":"$(touch evil)'\"; touch evil; \"` + "`touch evil`" + `"}`}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			inputs := map[string]string{"exec": line.programs.Demo, "config": "{}", "program": line.programs.Sidecar}
			for input, value := range test.inputs {
				inputs[input] = value
			}
			for _, step := range action.Runs.Steps {
				if step.ID == "smoke" {
					runActionStep(t, action, dir, step.Run, step.Env, inputs, test.code)
				}
			}
			for _, file := range []string{"smoke.xml", "smoke.html", "recording/baseline.json", "recording/read/stdout"} {
				if _, err := os.Stat(filepath.Join(dir, "smoke-results", file)); err != nil {
					t.Error(err)
				}
			}
			if _, err := os.Stat(filepath.Join(dir, "evil")); err == nil {
				t.Error("an input was run")
			}
		})
	}
}

// runActionStep runs a step as the runner does: bash with -e and pipefail, inputs in the environment.
func runActionStep(t *testing.T, action githubAction, dir, script string, env, inputs map[string]string, wantCode int) {
	t.Helper()
	expression := regexp.MustCompile(`\$\{\{ *inputs\.([a-z-]+)(?:[^}]|\}[^}])*\}\}`)
	command := exec.CommandContext(t.Context(), "bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script)
	command.Dir = dir
	command.Env = append(os.Environ(), "GITHUB_OUTPUT="+filepath.Join(dir, "output"), "GITHUB_STEP_SUMMARY="+filepath.Join(dir, "summary"),
		"GITHUB_ACTIONS=true", "TMPDIR="+t.TempDir())
	for name, value := range env {
		command.Env = append(command.Env, name+"="+expression.ReplaceAllStringFunc(value, func(match string) string {
			input := expression.FindStringSubmatch(match)[1]
			if given, is := inputs[input]; is {
				return given
			}
			return action.Inputs[input].Default
		}))
	}
	output, err := command.CombinedOutput()
	if code := command.ProcessState.ExitCode(); code != wantCode {
		t.Errorf("exit code %d, want %d, %v: %s", code, wantCode, err, output)
	}
	outputs, err := os.ReadFile(filepath.Join(dir, "output"))
	for name, declared := range action.Outputs {
		if err != nil || !strings.Contains(string(outputs), name+"=smoke-results/") || !strings.Contains(declared.Value, "steps.smoke.outputs."+name) {
			t.Errorf("output %s (%s) is not among %q, %v", name, declared.Value, outputs, err)
		}
	}
}

func TestGitLabComponent(t *testing.T) {
	d := newDockerLine(t)
	if _, err := exec.LookPath("docker"); err != nil {
		needs(t, false, "the docker command")
	}
	text, err := os.ReadFile("../../.ci/gitlab/templates/smoke.yml")
	if err != nil {
		t.Fatal(err)
	}
	header, body, found := bytes.Cut(text, []byte("\n---\n"))
	if !found {
		t.Fatal("a component has a header, with its inputs")
	}
	var spec struct {
		Spec struct {
			Inputs map[string]struct {
				Default *string `json:"default"`
			} `json:"inputs"`
		} `json:"spec"`
	}
	readYAML(t, header, &spec)
	sidecarImage := "sync-sidecar-test/sidecar:" + d.syncID
	d.importImage(sidecarImage, "sync-sidecar", d.programs.Sidecar, "USER 65532:65532")
	t.Cleanup(func() {
		if _, err := d.engine.ImageRemove(context.Background(), sidecarImage, image.RemoveOptions{Force: true}); err != nil {
			t.Error(err)
		}
	})
	given := map[string]string{"image": d.image, "config": `{"api_key":"a b"}`, "sync-sidecar-image": sidecarImage,
		"bad-config": `{"api_key":"invalid"}`,
		"arguments":  "--limit 50 --skip image --pull never"}
	used := regexp.MustCompile(`\$\[\[ inputs\.([a-z-]+) \]\]`).ReplaceAllStringFunc(string(body), func(match string) string {
		name := strings.Fields(strings.TrimPrefix(match, "$[[ inputs."))[0]
		input, known := spec.Spec.Inputs[name]
		if !known {
			t.Errorf("%s is no input", name)
		}
		if value, is := given[name]; is {
			return value
		}
		if input.Default == nil {
			t.Fatalf("input %s has no default, and is not given", name)
		}
		return *input.Default
	})
	var jobs map[string]struct {
		Variables map[string]string `json:"variables"`
		Script    []string          `json:"script"`
		Artifacts json.RawMessage   `json:"artifacts"`
	}
	readYAML(t, []byte(used), &jobs)
	job := jobs["smoke"]
	dir := t.TempDir()
	command := exec.CommandContext(t.Context(), "sh", "-e", "-c", strings.ReplaceAll(strings.Join(job.Script, "\n"), "--name sync-sidecar",
		"--name "+d.syncID))
	command.Args[3] = strings.NewReplacer("cp sync-sidecar:", "cp "+d.syncID+":", "rm sync-sidecar", "rm "+d.syncID).Replace(command.Args[3])
	command.Dir = dir
	command.Env = append(os.Environ(), "CI_REGISTRY_PASSWORD=")
	for name, value := range job.Variables {
		if strings.HasPrefix(name, "SMOKE_") {
			command.Env = append(command.Env, name+"="+value)
		}
	}
	output, err := command.CombinedOutput()
	if err != nil {
		t.Errorf("%v: %s", err, output)
	}
	for _, file := range []string{"smoke.xml", "smoke.html", "recording/baseline.json"} {
		if _, err := os.Stat(filepath.Join(dir, file)); err != nil || !strings.Contains(string(job.Artifacts), strings.Split(file, "/")[0]) {
			t.Errorf("%s: %v, artifacts %s", file, err, job.Artifacts)
		}
	}
}
