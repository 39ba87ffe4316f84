package smoke

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"sync-sidecar/runner"
	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
	"sync-sidecar/sidecar/recording"
	"sync-sidecar/sidecar/secret"
)

// The steps of a smoke test, in their order.
const (
	stepSpec       = "spec"
	stepCheck      = "check"
	stepBadConfig  = "bad-config"
	stepDiscover   = "discover"
	stepRead       = "read"
	stepAgain      = "again"       // from the last states
	stepResume     = "resume"      // from states in the middle
	stepBadCatalog = "bad-catalog" // a stream that is nowhere, in a mode that does not exist
	stepStop       = "stop"        // told to stop at the first record
	stepDebug      = "debug"       // with LOG_LEVEL=DEBUG
)

// order is the steps, in their order.
func order() []string {
	return []string{stepSpec, stepCheck, stepBadConfig, stepDiscover, stepRead, stepAgain, stepResume, stepBadCatalog, stepStop, stepDebug}
}

// scenario is a smoke test on its way.
type scenario struct {
	settings Settings
	engine   runner.Engine
	stop     <-chan struct{}
	masker   *secret.Masker
	watcher  *watcher
	wanted   map[string]bool // steps

	mu sync.Mutex
	// +checklocks:mu
	config []byte // as the connector last changed it
	// +checklocks:mu
	runs int

	evidence map[string]*Evidence // by step; written between the steps that run side by side
	why      map[string]string    // why a step did not run
	points   map[string]checkpoint
	folders  map[string]string
	read     airbyte.ConfiguredCatalog
	readSent json.RawMessage // the same, with members that we do not know

	unrunnable bool // neither spec nor check could even be started
}

func newScenario(engine runner.Engine, settings Settings, stop <-chan struct{}) *scenario {
	s := &scenario{settings: settings, engine: engine, stop: stop, masker: secret.NewMasker(settings.Task.Secrets...),
		config: settings.Task.Config, evidence: map[string]*Evidence{}, why: map[string]string{}, points: map[string]checkpoint{},
		folders: map[string]string{}, wanted: stepsOf(settings)}
	s.knowSecrets(nil)
	return s
}

// knowSecrets learns the secrets of the configuration, with the connector's spec when there is one.
func (s *scenario) knowSecrets(spec json.RawMessage) {
	secrets := append(secret.FromConfig(s.settings.Task.Config, spec), secret.FromEnv(s.settings.Task.ConnectorEnv)...)
	s.masker.Add(secrets...)
	s.masker.Add(secret.FromConfig(s.settings.BadConfig, spec)...)
	s.watcher = newWatcher(secrets)
}

// spec and catalog are the connector's answers, if it gave any.
func (s *scenario) spec() json.RawMessage {
	if e := s.evidence[stepSpec]; e != nil && len(e.Specs) > 0 {
		return e.Specs[0]
	}
	return nil
}

func (s *scenario) catalog() json.RawMessage {
	if e := s.evidence[stepDiscover]; e != nil && len(e.Catalogs) > 0 {
		return e.Catalogs[0]
	}
	return nil
}

// play runs the steps. What depends on nothing that is still to come runs side by side, unless check has told that the connector changes its own
// configuration, as those with tokens for one use do: of such a token two commands at a time cannot live.
func (s *scenario) play(ctx context.Context) error {
	if err := s.side(ctx, map[string]func() (plan, string){stepSpec: s.planSpec, stepCheck: s.planCheck}); err != nil {
		return err
	}
	s.lookIfRunnable()
	s.knowSecrets(s.spec())
	if err := s.lookAgain(stepCheck); err != nil {
		return err
	}
	err := s.side(ctx, map[string]func() (plan, string){stepBadConfig: s.planBadConfig, stepDiscover: s.planDiscover, stepBadCatalog: s.planBadCatalog})
	if err != nil {
		return err
	}
	if err := s.readAll(ctx); err != nil {
		return err
	}
	return s.side(ctx, map[string]func() (plan, string){stepAgain: s.planAgain, stepResume: s.planResume, stepStop: s.planStop, stepDebug: s.planDebug})
}

// lookIfRunnable leaves it to spec to tell of a connector that cannot be run at all.
func (s *scenario) lookIfRunnable() {
	spec, check := s.evidence[stepSpec], s.evidence[stepCheck]
	if spec == nil || check == nil || !spec.notRun || !check.notRun {
		return
	}
	s.unrunnable = true
	s.why[stepCheck] = s.refused()
	delete(s.evidence, stepCheck)
}

// lookAgain looks for secrets in a step that ran before the spec named them.
func (s *scenario) lookAgain(step string) error {
	e := s.evidence[step]
	if e == nil || e.Failure != "" {
		return nil
	}
	e.Leaks = nil
	r := &reading{Evidence: e, masker: s.masker, watcher: s.watcher}
	for _, output := range []string{recording.StdoutFile, recording.StderrFile} {
		if err := r.lines(s.folders[step], output); err != nil {
			return &runner.Error{Code: sidecar.ExitEnvironment, Err: fmt.Errorf("%s: %w", step, err)}
		}
	}
	return nil
}

// plan is a step that is about to run.
type plan struct {
	command sidecar.Command
	config  []byte // nil is the good one
	catalog []byte
	streams []airbyte.ConfiguredStream
	state   []byte
	env     []string
	limit   recording.Limit
}

// side runs those of the steps that are wanted and can be run.
func (s *scenario) side(ctx context.Context, steps map[string]func() (plan, string)) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(s.jobs())
	var mu sync.Mutex
	found := map[string]*Evidence{}
	for _, name := range order() {
		prepare, known := steps[name]
		if !known || !s.wanted[name] {
			continue
		}
		planned, why := prepare()
		if why != "" {
			s.why[name] = why
			continue
		}
		s.folders[name] = filepath.Join(s.settings.Dir, name)
		group.Go(func() error {
			e, err := s.run(ctx, name, name, planned)
			mu.Lock()
			defer mu.Unlock()
			found[name] = e
			return err
		})
	}
	err := group.Wait()
	for name, e := range found {
		s.evidence[name] = e
	}
	return err
}

// jobs is how many commands may run side by side now.
func (s *scenario) jobs() int {
	for _, e := range s.evidence {
		if e.Config != nil {
			return 1
		}
	}
	return max(1, s.settings.Jobs)
}

// errStopped says that the caller ended the test.
var errStopped = runner.ErrStopped

// run runs one command of the connector and reads what it brought.
func (s *scenario) run(ctx context.Context, step, folder string, p plan) (*Evidence, error) {
	task := s.task(folder, p)
	s.settings.Begin(step)
	stop, done := make(chan struct{}), make(chan struct{})
	enough, once := make(chan struct{}), sync.Once{}
	watch := runner.Watch{Stop: stop, Event: func(event runner.Event) {
		if event.Report == nil && event.Log.Message == EnoughLine {
			once.Do(func() { close(enough) })
		}
	}}
	var waiting sync.WaitGroup
	waiting.Go(func() {
		select {
		case <-enough:
		case <-s.stop:
		case <-done:
			return
		}
		close(stop)
	})
	outcome, err := s.engine.Run(ctx, task, watch)
	close(done)
	waiting.Wait()
	select {
	case <-s.stop:
		return nil, errStopped
	default:
	}
	if err != nil {
		return nil, &runner.Error{Code: sidecar.ExitEnvironment, Err: fmt.Errorf("%s: %w", step, err)}
	}
	if err := s.keep(folder, p); err != nil {
		return nil, &runner.Error{Code: sidecar.ExitEnvironment, Err: fmt.Errorf("%s: %w", step, err)}
	}
	e, err := readEvidence(step, task.Folder(), p.streams, s.masker, s.watcher, s.settings.Samples)
	if err != nil {
		if cause := outcome.Cause(); cause != "" { // the recorder did not come so far
			e, err = &Evidence{Step: step, byName: map[airbyte.StreamDescriptor]*Stream{}}, nil
		} else {
			return nil, &runner.Error{Code: sidecar.ExitEnvironment, Err: fmt.Errorf("%s: %w", step, errors.Join(err))}
		}
	}
	e.outcome(outcome)
	if e.Config != nil {
		s.mu.Lock()
		s.config = e.Config
		s.mu.Unlock()
	}
	s.settings.End(step, e)
	return e, err
}

// task is the step for the engine.
func (s *scenario) task(folder string, p plan) runner.Task {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.runs++
	task := s.settings.Task
	task.Command, task.TaskID, task.SyncID = p.command, fmt.Sprintf("%s-%d", task.TaskID, s.runs), folder
	task.LocalDir = s.settings.Dir
	task.Config, task.Catalog, task.State, task.LoadState = s.config, p.catalog, p.state, false
	if p.config != nil {
		task.Config = p.config
	}
	if p.command == sidecar.CommandSpec {
		task.Config = nil
	}
	task.ConnectorEnv = append(append(slices.Clone(task.ConnectorEnv), p.env...), StepVariable+"="+folder)
	// Nothing is delivered and no state kept: the folder is the recorder's.
	task.RowsAtServer, task.JournalAtServer, task.Grace = true, true, s.settings.Grace
	task.SidecarArgs = s.settings.RecordArgs(RecordOptions{Limit: p.limit, Timeout: s.settings.Timeout, Grace: s.settings.Grace + stopMargin})
	return task
}
