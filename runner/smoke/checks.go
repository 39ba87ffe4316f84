package smoke

import (
	"fmt"
	"slices"
	"strings"
)

// check is one entry of the table: what it claims, why that matters, what to do when it is not so, and how it is judged.
type check struct {
	id    string
	claim string
	why   string
	do    string
	steps []string // that have to be run for it
	judge func(*scenario) finding
}

// finding is what a check found.
type finding struct {
	status   Status
	evidence []string
}

func pass(evidence ...string) finding { return finding{Pass, evidence} }
func fail(evidence ...string) finding { return finding{Fail, evidence} }
func warn(evidence ...string) finding { return finding{Warn, evidence} }
func skip(reason string) finding      { return finding{Skip, []string{reason}} }

// faulty is a finding with this status when there is evidence, and a pass without.
func faulty(status Status, evidence []string, otherwise ...string) finding {
	if len(evidence) == 0 {
		return pass(otherwise...)
	}
	return finding{status, evidence}
}

// on judges the evidence of one step.
func on(step string, judge func(*Evidence) finding) func(*scenario) finding {
	return func(s *scenario) finding {
		e := s.evidence[step]
		if e == nil {
			return skip(s.whyNot(step))
		}
		return judge(e)
	}
}

func (s *scenario) whyNot(step string) string {
	if why := s.why[step]; why != "" {
		return why
	}
	return "the step " + step + " was not run"
}

// table is every check, in the order in which they are told.
func table() []check {
	return slices.Concat(imageChecks(), specChecks(), checkChecks(), discoverChecks(), catalogChecks(), readChecks(), outputChecks(), rowChecks(),
		stateChecks(), resumeChecks(), stopChecks(), wholeChecks(), baselineChecks())
}

// Described is a check for the documentation.
type Described struct{ ID, Claim, Why, Do string }

// Checks are all checks there are.
func Checks() []Described {
	var all []Described
	for _, one := range table() {
		all = append(all, Described{one.id, one.claim, one.why, one.do})
	}
	return all
}

// Matches says whether a name that a person gave means the check: its id, or the part before the dot.
func Matches(name, id string) bool {
	group, _, _ := strings.Cut(id, ".")
	return name == id || strings.TrimSuffix(name, ".*") == group
}

// selected says whether a check was asked for.
func (settings Settings) selected(id string) bool {
	means := func(name string) bool { return Matches(name, id) }
	return (len(settings.Only) == 0 || slices.ContainsFunc(settings.Only, means)) && !slices.ContainsFunc(settings.Skip, means)
}

// stepsOf are the steps that the selected checks need, with those before them.
func stepsOf(settings Settings) map[string]bool {
	wanted := map[string]bool{stepSpec: true} // which names the secrets
	var need func(step string)
	need = func(step string) {
		if wanted[step] {
			return
		}
		wanted[step] = true
		for _, before := range map[string][]string{
			stepBadConfig: {}, stepDiscover: {stepCheck}, stepRead: {stepDiscover}, stepBadCatalog: {stepCheck},
			stepAgain: {stepRead}, stepResume: {stepRead}, stepStop: {stepRead}, stepDebug: {stepRead},
		}[step] {
			need(before)
		}
	}
	for _, one := range table() {
		if settings.selected(one.id) {
			for _, step := range one.steps {
				need(step)
			}
		}
	}
	return wanted
}

// judge asks every check that was asked for.
func (s *scenario) judge() []Check {
	var all []Check
	for _, one := range table() {
		if !s.settings.selected(one.id) {
			continue
		}
		found := one.judge(s)
		told := make([]string, len(found.evidence))
		for i, text := range found.evidence {
			told[i] = s.masker.Mask(text)
		}
		all = append(all, Check{ID: one.id, Status: found.status, Claim: one.claim, Evidence: told, Why: one.why, Do: one.do})
	}
	return all
}

// steps are what was run, in order.
func (s *scenario) steps() []Step {
	var all []Step
	for _, name := range order() {
		e := s.evidence[name]
		if e == nil {
			continue
		}
		end := e.exit()
		if end == "" {
			end = "exit code 0"
		}
		if e.Recording.Stop != nil {
			end += " after the order to stop"
		}
		all = append(all, Step{Name: name, Command: commandOf(name), Seconds: e.Recording.Seconds, Records: e.Rows, States: len(e.States),
			End: s.masker.Mask(end), Memory: e.Recording.Exit.MaxMemory, CPU: e.Recording.Exit.CPUSeconds, Recorded: s.folders[name]})
	}
	return all
}

// commandOf is the command of the protocol that a step gives.
func commandOf(step string) string {
	switch step {
	case stepSpec, stepDiscover:
		return step
	case stepCheck, stepBadConfig:
		return "check"
	}
	return "read"
}

// most is how many pieces of evidence of one kind are told.
const most = 8

// few keeps the first of many.
func few(all []string) []string {
	if len(all) <= most {
		return all
	}
	return append(slices.Clone(all[:most]), fmt.Sprintf("… and %d more", len(all)-most))
}

// eachStream gathers evidence stream by stream.
func eachStream(e *Evidence, of func(*Stream) []string) []string {
	var all []string
	for _, stream := range e.Streams {
		for _, text := range of(stream) {
			all = append(all, fmt.Sprintf("stream %q: %s", stream.Descriptor, text))
		}
	}
	return few(all)
}
