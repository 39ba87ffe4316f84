package smoke

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// imageChecks are about the image, without running it.
func imageChecks() []check {
	of := func(judge func(*scenario) finding) func(*scenario) finding {
		return func(s *scenario) finding {
			if s.settings.Facts == nil {
				return skip("the connector is no image")
			}
			return judge(s)
		}
	}
	return []check{
		{"image.entrypoint", "AIRBYTE_ENTRYPOINT is set, and is the image's ENTRYPOINT",
			"Airbyte's and Jitsu's pods start the connector by this variable: without it nothing runs",
			"ENV AIRBYTE_ENTRYPOINT=\"…\" with the words of ENTRYPOINT", nil, of(imageEntrypoint)},
		{"image.platform", "the image is for the processor of this machine", "it is emulated, or does not start", "build it for both amd64 and arm64",
			nil, of(imagePlatform)},
	}
}

func imageEntrypoint(s *scenario) finding {
	facts := s.settings.Facts
	switch {
	case facts.Announced == "":
		return warn("AIRBYTE_ENTRYPOINT is not set")
	case len(facts.Entrypoint) > 0 && facts.Announced != strings.Join(facts.Entrypoint, " "):
		return warn(fmt.Sprintf("AIRBYTE_ENTRYPOINT is %q, ENTRYPOINT %q", facts.Announced, strings.Join(facts.Entrypoint, " ")))
	}
	return pass(facts.Announced)
}

func imagePlatform(s *scenario) finding {
	facts := s.settings.Facts
	if facts.Architecture != "" && facts.Architecture != facts.Machine {
		return warn(fmt.Sprintf("it is for %s, the machine is %s", facts.Architecture, facts.Machine))
	}
	return pass(facts.Architecture)
}

// wholeChecks are about all steps.
func wholeChecks() []check {
	all := order()
	return []check{
		{"secrets.output", "no secret of the configuration is in any output", "logs are kept, shared and sent to others",
			"mask, or do not log, what a request carries",
			all, leaked},
		{"connector.memory", "the connector keeps to its memory", "what holds more than its limit is killed without a word",
			"stream instead of gathering; or raise --max-memory",
			all, memory},
		{"connector.time", "spec and check answer in a minute, discover in five", "platforms give up after some minutes, and people before",
			"do less: no full listing in check, schemas in parallel", []string{stepSpec, stepCheck, stepDiscover}, slow},
	}
}

func leaked(s *scenario) finding {
	if !s.watcher.any {
		return skip("the configuration has no secret")
	}
	var leaks []string
	for _, step := range order() {
		e := s.evidence[step]
		if e == nil || len(e.Leaks) == 0 {
			continue
		}
		for _, output := range []string{"stdout", "stderr"} {
			var found Seen
			for _, leak := range e.Leaks {
				if leak.Output == output {
					found.at(leak.Line)
				}
			}
			if found.Count > 0 {
				leaks = append(leaks, fmt.Sprintf("%s: %s", step, strings.Replace(found.where(), "stdout line", output+" line", 1)))
			}
		}
	}
	return faulty(Fail, leaks)
}

func memory(s *scenario) finding {
	most, in := int64(0), ""
	for _, step := range order() {
		if e := s.evidence[step]; e != nil && e.Recording.Exit.MaxMemory > most {
			most, in = e.Recording.Exit.MaxMemory, step
		}
	}
	text := fmt.Sprintf("its largest process held %d MiB, in %s", most>>20, in)
	switch {
	case in == "":
		return skip("it is not known how much it held")
	case s.settings.MaxMemory > 0 && most > s.settings.MaxMemory:
		return fail(fmt.Sprintf("%s; the limit is %d MiB", text, s.settings.MaxMemory>>20))
	}
	return pass(text)
}

func slow(s *scenario) finding {
	var late, all []string
	for _, one := range []struct {
		step  string
		limit time.Duration
	}{{stepSpec, time.Minute}, {stepCheck, time.Minute}, {stepDiscover, 5 * time.Minute}} {
		e := s.evidence[one.step]
		if e == nil {
			continue
		}
		text := fmt.Sprintf("%s %.1f s", one.step, e.Recording.Seconds)
		all = append(all, text)
		if e.Recording.Seconds > one.limit.Seconds() {
			late = append(late, text)
		}
	}
	return faulty(Warn, late, strings.Join(all, ", "))
}

// sorted are texts in order.
func sorted(all []string) []string {
	slices.Sort(all)
	return all
}
