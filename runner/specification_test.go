package runner

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sync-sidecar/sidecar"
)

const wellSpecified = `{"connectionSpecification":{"type":"object","required":["key"],"properties":{"key":{"type":"string","airbyte_secret":true},
	"count":{"type":"integer","maximum":5},"word":{"type":"string","pattern":"^(?=x)"}}}}`

// specEngine answers spec with what it is given, and carries everything else out.
type specEngine struct {
	build  string
	answer Outcome
	err    error
	ran    []string
	asked  Task
}

// Identify implements Identifier.
func (e *specEngine) Identify(context.Context, Task, Watch) (string, error) { return e.build, nil }

// Run is the answer, or a success.
func (e *specEngine) Run(_ context.Context, task Task, watch Watch) (Outcome, error) {
	e.ran = append(e.ran, string(task.Command))
	watch.Event(Event{Log: Line{Level: "ERROR", Logger: "source", Message: "the connector's own line of " + string(task.Command)}})
	if task.Command == sidecar.CommandSpec {
		e.asked = task
		return e.answer, e.err
	}
	return Outcome{Report: sidecar.Report{Status: sidecar.StatusSuccess, Result: []byte(`{"streams":[]}`)}}, nil
}

func specAnswer(spec string) Outcome {
	return Outcome{Report: sidecar.Report{Status: sidecar.StatusSuccess, Result: []byte(spec)}}
}

func TestConfigIsCheckedAgainstTheSpec(t *testing.T) {
	t.Parallel()
	failedSpec := Outcome{Report: sidecar.Report{Status: sidecar.StatusFailed, Cause: "usage: main.py"}, Sidecar: Exit{Code: sidecar.ExitFailed}}
	environment := Outcome{Report: sidecar.Report{Status: sidecar.StatusFailed, Cause: "no disk"}, Sidecar: Exit{Code: sidecar.ExitEnvironment}}
	cancelled := Outcome{Report: sidecar.Report{Status: sidecar.StatusCancelled}, Sidecar: Exit{Code: 143}}
	for _, test := range []struct {
		name   string
		engine specEngine
		config string
		ran    string
		code   int
		want   string // of the error, or among what was said
	}{
		{"fits", specEngine{build: "b", answer: specAnswer(wellSpecified)}, `{"key":"K"}`, "spec check", 0, ""},
		{"does not fit", specEngine{build: "b", answer: specAnswer(wellSpecified)}, `{"key":"K","count":"SECRET"}`, "spec", sidecar.ExitUsage,
			"my.json does not fit the connector's spec: count is string, want integer (--no-validate"},
		{"all at once", specEngine{build: "b", answer: specAnswer(wellSpecified)}, `{"count":"SECRET"}`, "spec", sidecar.ExitUsage,
			"count is string, want integer; key is missing, want string"},
		{"may be refused", specEngine{build: "b", answer: specAnswer(wellSpecified)}, `{"key":"K","count":9}`, "spec check", 0,
			"WARN my.json: count is more than 5; the connector may refuse it"},
		{"a pattern that Go does not know", specEngine{build: "b", answer: specAnswer(wellSpecified)}, `{"key":"K","word":"a"}`, "spec check", 0,
			"DEBUG the connector's spec: a pattern that Go does not know is not checked: ^(?=x)"},
		{"a keyword that draft 7 does not know", specEngine{build: "b", answer: specAnswer(`{"connectionSpecification":{"type":"thing"}}`)}, `{}`,
			"spec check", 0, "DEBUG the connector's spec: draft 7 does not know what stands at type: left out"},
		{"no schema", specEngine{build: "b", answer: specAnswer(`{"documentationUrl":"x"}`)}, `{}`, "spec check", 0,
			"WARN the configuration is not checked"},
		{"a broken schema", specEngine{build: "b", answer: specAnswer(`{"connectionSpecification":{"$ref":"#/none"}}`)}, `{}`, "spec check", 0,
			"WARN the configuration is not checked: the connector's spec is no JSON schema"},
		{"does not answer", specEngine{build: "b", answer: failedSpec}, `{}`, "spec check", 0,
			"WARN the configuration is not checked: the connector did not tell its spec: usage: main.py"},
		{"the machine fails", specEngine{build: "b", answer: environment}, `{}`, "spec", sidecar.ExitEnvironment, "no disk"},
		{"the engine fails", specEngine{build: "b", err: errors.New("no Docker")}, `{}`, "spec", sidecar.ExitEnvironment, "no Docker"},
		{"stopped", specEngine{build: "b", answer: cancelled}, `{}`, "spec", 143, "stopped"},
		{"a connector that cannot be told from others", specEngine{answer: specAnswer(wellSpecified)}, `{}`, "check", 0, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			task := readTask()
			task.Command, task.LocalDir, task.Config = sidecar.CommandCheck, t.TempDir(), []byte(test.config)
			task.Names = map[string]string{ConfigFile: "my.json"}
			var said []string
			watch := Watch{Event: func(e Event) { said = append(said, e.Log.Level+" "+e.Log.Message) }}
			_, err := Run(t.Context(), &test.engine, task, Selection{CheckConfig: true}, watch)
			if ran := strings.Join(test.engine.ran, " "); ran != test.ran {
				t.Errorf("ran %s, want %s", ran, test.ran)
			}
			code, text := 0, strings.Join(said, "\n")
			if failed := (*Error)(nil); errors.As(err, &failed) {
				code, text = failed.Code, text+err.Error()
			}
			if code != test.code || !strings.Contains(text, test.want) || strings.Contains(text, "SECRET") || strings.Contains(text, "own line of spec") {
				t.Errorf("code %d, want %d; said %s, want %s", code, test.code, text, test.want)
			}
		})
	}
}

// The spec is asked for once for a build of a connector; a program is asked again before it is taken at a word that it may not say any more.
func TestSpecIsRemembered(t *testing.T) {
	t.Parallel()
	engine := &specEngine{build: "one", answer: specAnswer(wellSpecified)}
	task := readTask()
	task.Command, task.LocalDir, task.Config = sidecar.CommandCheck, t.TempDir(), []byte(`{"key":"K"}`)
	task.Settings = map[string]string{"DATABASE_URL": "postgres://x", "MAX_LINE_BYTES": "7", "TASK_TIMEOUT_HOURS": "0.01"}
	task.JournalAtServer = true
	check := Selection{CheckConfig: true}
	image, program := task, task
	image.Image, image.Program = "some/image", nil
	program.Image, program.Program = "", []string{"main.py"}
	for _, step := range []struct {
		name      string
		task      Task
		selection Selection
		change    func()
		ran       string
		code      int
	}{
		{"nothing is known", image, check, func() {}, "spec check", 0},
		{"known", image, check, func() {}, "check", 0},
		{"known, and refused", withConfig(image, `{}`), check, func() {}, "", sidecar.ExitUsage},
		{"not wanted", withConfig(image, `{}`), Selection{}, func() {}, "check", 0},
		{"another build", image, check, func() { engine.build = "two" }, "spec check", 0},
		{"a program", program, check, func() {}, "check", 0},
		{"a program whose spec has changed", withConfig(program, `{}`), check,
			func() { engine.answer = specAnswer(`{"connectionSpecification":{"type":"object"}}`) }, "spec check", 0},
		{"is known", withConfig(program, `{}`), check, func() {}, "check", 0},
		{"a damaged memory", image, check, func() {
			if err := os.WriteFile(filepath.Join(task.Folder(), specFile), []byte("{"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, "spec check", 0},
	} {
		step.change()
		engine.ran = nil
		_, err := Run(t.Context(), engine, step.task, step.selection, Watch{})
		code := 0
		if failed := (*Error)(nil); errors.As(err, &failed) {
			code = failed.Code
		}
		if ran := strings.Join(engine.ran, " "); ran != step.ran || code != step.code {
			t.Errorf("%s: ran %q, code %d; want %q, %d", step.name, ran, code, step.ran, step.code)
		}
	}
	asked := engine.asked
	if asked.JournalAtServer || asked.Config != nil || len(asked.Settings) != 2 || asked.Settings["MAX_LINE_BYTES"] != "7" ||
		asked.Settings["TASK_TIMEOUT_HOURS"] != "0.01" || asked.TaskID != "t1-spec" {
		t.Errorf("asked by %+v", asked)
	}
	if info, err := os.Stat(filepath.Join(task.Folder(), specFile)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
}

func withConfig(task Task, config string) Task {
	task.Config = []byte(config)
	return task
}
