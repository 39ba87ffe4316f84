package runner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"sync-sidecar/runner/schema"
	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/atomicfile"
)

// specFile is, in the folder of the sync, what the connector answered to spec last.
const specFile = ".spec.json"

// specTimeout is how long a connector may take to answer spec: what it is asked before every other command must not keep anybody waiting for long.
const specTimeout = 2 * time.Minute

// specification is the memory of a connector's spec.
type specification struct {
	engine    Engine
	task      Task
	connector string // by what Identify tells one build from another
	watch     Watch
}

// rememberedSpec is what a connector answered, and which one.
type rememberedSpec struct {
	Key  string          `json:"key"` // of connector and environment
	Spec json.RawMessage `json:"spec"`
}

// checkConfig holds the configuration against the connector's spec before anything is started with it. What connectors refuse is an error; what they
// may refuse, a warning; and so is a spec that the connector does not tell, or that cannot be read.
func (s specification) checkConfig(ctx context.Context) error {
	spec, remembered, err := s.recall(), true, error(nil)
	if spec == nil {
		spec, err = s.ask(ctx)
		remembered = false
	}
	if spec == nil || err != nil {
		return err
	}
	found := s.violations(spec)
	// A local program may have its spec in a file that its identity does not know of. What it says now counts.
	if remembered && len(s.task.Program) > 0 && slices.ContainsFunc(found, refused) {
		if spec, err = s.ask(ctx); spec == nil || err != nil {
			return err
		}
		found = s.violations(spec)
	}
	var problems []string
	for _, violation := range found {
		if violation.Refused {
			problems = append(problems, violation.String())
			continue
		}
		s.watch.Event(Note("WARN", fmt.Sprintf("%s: %s; the connector may refuse it", s.task.nameOf(ConfigFile), violation)))
	}
	if len(problems) == 0 {
		return nil
	}
	return failed(sidecar.ExitUsage, fmt.Errorf("%s does not fit the connector's spec: %s (--no-validate tries it all the same)",
		s.task.nameOf(ConfigFile), strings.Join(problems, "; ")))
}

func refused(violation schema.Violation) bool { return violation.Refused }

// violations are those of the configuration; none where the spec cannot tell, which is said.
func (s specification) violations(spec json.RawMessage) []schema.Violation {
	unchecked := func(why string) []schema.Violation {
		s.watch.Event(Note("WARN", "the configuration is not checked: the connector's spec "+why))
		return nil
	}
	var answer struct {
		Schema json.RawMessage `json:"connectionSpecification"`
	}
	if err := json.Unmarshal(spec, &answer); err != nil || len(answer.Schema) == 0 || string(answer.Schema) == "null" {
		return unchecked("has no connectionSpecification")
	}
	compiled, err := schema.CompileLoosely(answer.Schema)
	if err != nil {
		return unchecked("is no JSON schema: " + err.Error())
	}
	for _, place := range compiled.Ignored() {
		s.watch.Event(Note("DEBUG", "the connector's spec: draft 7 does not know what stands at "+place+": left out"))
	}
	for _, pattern := range compiled.Unread() {
		s.watch.Event(Note("DEBUG", "the connector's spec: a pattern that Go does not know is not checked: "+pattern))
	}
	config, err := schema.Decode(s.task.Config)
	if err != nil {
		return nil // whoever reads it says so
	}
	return compiled.Violations(config)
}

// key tells connectors, and what may change their spec, apart; empty when that is not known.
func (s specification) key() string {
	if s.connector == "" {
		return ""
	}
	return digest(s.connector, s.task.ConnectorEnv)
}

func (s specification) path() string { return filepath.Join(s.task.Folder(), specFile) }

// recall is the spec that this build of the connector told before; nil when it did not. A damaged memory is none.
func (s specification) recall() json.RawMessage {
	var known rememberedSpec
	content, err := os.ReadFile(s.path())
	if err != nil || json.Unmarshal(content, &known) != nil || known.Key == "" || known.Key != s.key() {
		return nil
	}
	return known.Spec
}

// ask asks the connector, and remembers what it says. Nil without an error is a connector that does not tell, which is said.
func (s specification) ask(ctx context.Context) (json.RawMessage, error) {
	task := s.task
	task.Command, task.TaskID, task.StartedAt = sidecar.CommandSpec, task.TaskID+"-spec", time.Now()
	task.Config, task.Catalog, task.State, task.LoadState = nil, nil, nil, false
	// No server has to be there for it, and none learns of it.
	task.RowsAtServer, task.JournalAtServer, task.Settings = false, false, map[string]string{}
	limit := specTimeout
	if hours, err := strconv.ParseFloat(s.task.Settings["TASK_TIMEOUT_HOURS"], 64); err == nil && hours > 0 && hours < limit.Hours() {
		limit = time.Duration(hours * float64(time.Hour))
	}
	task.Settings["TASK_TIMEOUT_HOURS"] = strconv.FormatFloat(limit.Hours(), 'f', -1, 64)
	if longest := s.task.Settings["MAX_LINE_BYTES"]; longest != "" {
		task.Settings["MAX_LINE_BYTES"] = longest
	}
	s.watch.Event(Note("DEBUG", "asking the connector for its spec, to check the configuration"))
	outcome, err := carryOut(ctx, s.engine, task, s.quiet())
	switch code := outcome.ExitCode(); {
	case err != nil:
		return nil, err
	case outcome.Cancelled():
		return nil, failed(code, ErrStopped)
	case code == sidecar.ExitEnvironment: // the command itself would fail at it, too
		return nil, failed(code, errors.New(outcome.Cause()))
	case code != sidecar.ExitOK || len(outcome.Report.Result) == 0:
		why := outcome.Cause()
		if code == sidecar.ExitTimeout {
			why = fmt.Sprintf("it took more than %s", limit)
		}
		if n := len(outcome.LastWords); n > 0 && !strings.Contains(why, outcome.LastWords[n-1]) {
			why += "; its last words: " + outcome.LastWords[n-1]
		}
		s.watch.Event(Note("WARN", "the configuration is not checked: the connector did not tell its spec: "+why+" (--no-validate does not ask)"))
		return nil, nil
	}
	return outcome.Report.Result, failed(sidecar.ExitEnvironment, s.keep(outcome.Report.Result))
}

// quiet is the watch without what the connector logs, and reports, on the way.
func (s specification) quiet() Watch {
	watch, show := s.watch, s.watch.Event
	watch.Usage = false
	watch.Event = func(event Event) {
		if event.Report == nil && event.Usage == nil && event.Log.Logger == runLogger {
			show(event)
		}
	}
	return watch
}

func (s specification) keep(spec json.RawMessage) error {
	key := s.key()
	if key == "" {
		return nil
	}
	content, err := json.Marshal(rememberedSpec{Key: key, Spec: spec})
	if err != nil {
		return fmt.Errorf("remember the connector's spec: %w", err)
	}
	if err := os.MkdirAll(s.task.Folder(), 0o755); err != nil {
		return fmt.Errorf("make --local-dir: %w", err)
	}
	if err := atomicfile.Replace(s.path(), content, 0o600); err != nil { // the key is made of secrets, too
		return fmt.Errorf("remember the connector's spec: %w", err)
	}
	return nil
}
