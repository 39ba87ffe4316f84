package smoke

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"sync-sidecar/runner/schema"
	"sync-sidecar/sidecar/secret"
)

const checkSucceeded = "SUCCEEDED"

// ended judges how a command that answers ended.
func ended(e *Evidence) finding {
	if e.exit() != "" {
		return fail(e.said()...)
	}
	return pass()
}

// answered judges how many answers there were. Without any a bad end says more.
func answered(e *Evidence, what string, count int) finding {
	switch {
	case count == 1:
		return pass()
	case count == 0 && e.exit() != "":
		return skip("the connector ended badly")
	case count == 0 && e.Lost+int64(len(e.Errors)) > 0:
		return fail(append([]string{"no " + what + " among the messages"}, e.words()...)...)
	}
	return fail(fmt.Sprintf("%d %s messages, want 1", count, what))
}

func exitCheck(step string) check {
	return check{step + ".exit", "`" + step + "` ends with exit code 0", "a platform takes any other code for a failure of the connector",
		"look at what the connector said last; run `sync-sidecar run " + step + "` to see all of it", []string{step}, on(step, ended)}
}

func specChecks() []check {
	answer := on(stepSpec, func(e *Evidence) finding { return answered(e, "SPEC", len(e.Specs)) })
	return []check{
		exitCheck(stepSpec),
		{"spec.answer", "`spec` answers with exactly one SPEC", "platforms take the first and may differ about the rest",
			"print one SPEC message, and nothing else of its kind", []string{stepSpec}, answer},
		{"spec.schema", "the connectionSpecification is a JSON schema of draft 7, of an object",
			"forms and validators are made of it", "correct the schema at the place that is named", []string{stepSpec}, withSpec(specSchema)},
		{"spec.protocol-version", "the protocol_version, where there is one, is 0.x", "a platform refuses what it does not know",
			"leave it out, or write the version that the connector's SDK speaks", []string{stepSpec}, withSpec(protocolVersion)},
		{"spec.size", "the SPEC message is smaller than 2 MB", "Airbyte's platform looks for the first message in 2 MiB of output",
			"move long lists of values out of the spec", []string{stepSpec}, withSpec(specSize)},
		{"spec.secrets", "what is a secret by its name is marked airbyte_secret, and only texts are",
			"what is not marked is shown in forms, logs and tables", "add \"airbyte_secret\": true to the property", []string{stepSpec},
			withSpec(specSecrets)},
		{"spec.alternatives", "alternatives (oneOf) are objects that one constant tells apart, and enumerations have no value twice",
			"a form cannot tell which alternative is meant", "give every alternative a property with its own const, under one name", []string{stepSpec},
			withSpec(specAlternatives)},
		{"spec.keywords", "the spec keeps to the keywords that Airbyte's forms know",
			"others are ignored there, so that a configuration passes which the connector then refuses",
			"use properties, required, oneOf, enum, const and pattern", []string{stepSpec}, withSpec(specKeywords)},
		{"spec.config", "the configuration that was given fits the spec", "whoever fills in the form by the spec has to come to a configuration that works",
			"correct the spec, or the configuration", []string{stepSpec}, withSpec(specConfig)},
	}
}

// withSpec judges the spec, if there is one.
func withSpec(judge func(*scenario, schema.Object) finding) func(*scenario) finding {
	return func(s *scenario) finding {
		raw := s.spec()
		if raw == nil {
			return skip("there is no spec")
		}
		document, err := schema.Decode(raw)
		if err != nil {
			return skip("the spec cannot be read")
		}
		return judge(s, schema.Of(document))
	}
}

func connectionSpecification(spec schema.Object) schema.Object {
	return schema.Of(spec["connectionSpecification"])
}

func specSchema(_ *scenario, spec schema.Object) finding {
	root := connectionSpecification(spec)
	if root == nil {
		return fail("connectionSpecification is missing, or no object")
	}
	raw, err := json.Marshal(root)
	if err != nil {
		return fail(err.Error())
	}
	if _, err := schema.Compile(raw); err != nil {
		return fail(err.Error())
	}
	if types := root.Types(); len(types) > 0 && !slices.Equal(types, []string{"object"}) {
		return fail("its type is " + strings.Join(types, " or ") + ", want object")
	}
	return pass(fmt.Sprintf("%d properties", len(root.Properties())))
}

func protocolVersion(_ *scenario, spec schema.Object) finding {
	version, given := spec["protocol_version"]
	text, is := version.(string)
	switch {
	case !given:
		return pass("none is given: 0.2.0 is meant")
	case !is || text != "0" && !strings.HasPrefix(text, "0."):
		return fail(fmt.Sprintf("it is %v", version))
	}
	return pass(text)
}

func specSize(s *scenario, _ schema.Object) finding {
	size := len(s.spec())
	if size >= 2_000_000 {
		return fail(fmt.Sprintf("%d bytes", size))
	}
	return pass(fmt.Sprintf("%d bytes", size))
}

// specSecrets follows the acceptance test of Airbyte's connectors (test_core.py, test_secret_is_properly_marked). A constant is no secret.
func specSecrets(_ *scenario, spec schema.Object) finding {
	var problems []string
	connectionSpecification(spec).Walk(func(path string, at schema.Object) {
		for _, name := range names(at.Properties()) {
			property := at.Property(name)
			isText := slices.Contains(property.Types(), "string")
			marked := property["airbyte_secret"] == true
			where := strings.TrimPrefix(path+"."+name, "(all).")
			switch {
			case marked && len(property.Types()) > 0 && !isText && !slices.Contains(property.Types(), "object") && !slices.Contains(property.Types(), "array"):
				problems = append(problems, where+" is marked airbyte_secret and is no text: "+property.Kind())
			case !marked && isText && property["const"] == nil && property["enum"] == nil && secret.IsName(name):
				problems = append(problems, where+" is not marked airbyte_secret")
			}
		}
	})
	return faulty(Fail, few(problems))
}

func specAlternatives(_ *scenario, spec schema.Object) finding {
	var problems []string
	connectionSpecification(spec).Walk(func(path string, at schema.Object) {
		if list, is := at["enum"].([]any); is && hasTwice(list) {
			problems = append(problems, path+": enum has a value twice")
		}
		if list, is := at["oneOf"].([]any); is {
			if problem := alternatives(list); problem != "" {
				problems = append(problems, path+": oneOf: "+problem)
			}
		}
	})
	return faulty(Warn, few(problems))
}

func hasTwice(list []any) bool {
	seen := map[string]bool{}
	for _, value := range list {
		text := fmt.Sprintf("%T %v", value, value)
		if seen[text] {
			return true
		}
		seen[text] = true
	}
	return false
}

// alternatives says what keeps a form from telling the branches of a oneOf apart; empty when nothing does.
func alternatives(list []any) string {
	common := map[string]int{}
	objects := 0
	for _, item := range list {
		properties := schema.Of(item).Properties()
		if properties == nil {
			continue
		}
		objects++
		for name := range properties {
			if _, constant := schema.Of(properties[name])["const"]; constant {
				common[name]++
			}
		}
	}
	if objects == 0 {
		return "" // alternatives of plain values need no name
	}
	if objects < len(list) {
		return "not every alternative has properties"
	}
	for _, count := range common {
		if count == len(list) {
			return ""
		}
	}
	return "no property with a const is in every alternative"
}

func specKeywords(_ *scenario, spec schema.Object) finding {
	// The list of the acceptance test of Airbyte's connectors (test_core.py, test_forbidden_...).
	forbidden := []string{"not", "anyOf", "patternProperties", "prefixItems", "allOf", "if", "then", "else", "dependentSchemas", "dependentRequired"}
	var problems []string
	connectionSpecification(spec).Walk(func(path string, at schema.Object) {
		for _, keyword := range forbidden {
			if _, used := at[keyword]; used {
				problems = append(problems, path+": "+keyword)
			}
		}
	})
	return faulty(Warn, few(problems))
}

func specConfig(s *scenario, spec schema.Object) finding {
	raw, err := json.Marshal(connectionSpecification(spec))
	if err != nil {
		return skip("the spec cannot be read")
	}
	compiled, err := schema.Compile(raw)
	if err != nil {
		return skip("the schema of the spec is wrong")
	}
	config, err := schema.Decode(s.settings.Task.Config)
	if err != nil {
		return skip("there is no configuration")
	}
	var problems []string
	for _, problem := range compiled.Check(config) {
		problems = append(problems, problem.Path+" "+problem.What)
	}
	return faulty(Fail, few(problems))
}

func checkChecks() []check {
	return []check{
		exitCheck(stepCheck),
		{"check.answer", "`check` answers with exactly one CONNECTION_STATUS", "platforms take the first and may differ about the rest",
			"print one CONNECTION_STATUS message, also for a configuration that does not work", []string{stepCheck},
			on(stepCheck, func(e *Evidence) finding { return answered(e, "CONNECTION_STATUS", len(e.Statuses)) })},
		{"check.succeeded", "`check` says SUCCEEDED for the good configuration", "nobody can set up a connection otherwise",
			"look at the message; are the credentials of the test still valid?", []string{stepCheck}, on(stepCheck, succeeded)},
		{"check.bad-config", "`check` does not say SUCCEEDED for the bad configuration", "a wrong password would be found only by the first sync",
			"let check do one cheap request that needs the credentials", []string{stepBadConfig}, badConfigRefused},
	}
}

func succeeded(e *Evidence) finding {
	if len(e.Statuses) == 0 {
		return skip("there is no answer")
	}
	if answer := e.Statuses[0]; answer.Status != checkSucceeded {
		return fail(fmt.Sprintf("%s: %s", answer.Status, brief(answer.Message)))
	}
	return pass()
}

// badConfigRefused is refused, unless check answers nothing at all.
func badConfigRefused(s *scenario) finding {
	if e := s.evidence[stepCheck]; e != nil && len(e.Statuses) == 0 {
		return skip("check gives no answer")
	}
	return on(stepBadConfig, refused)(s)
}

func refused(e *Evidence) finding {
	switch {
	case len(e.Statuses) > 0 && e.Statuses[0].Status == checkSucceeded:
		return fail("it says SUCCEEDED")
	case len(e.Statuses) > 0:
		return pass(e.Statuses[0].Status + ": " + brief(e.Statuses[0].Message))
	case len(e.Errors) > 0 || e.exit() != "":
		return pass(e.said()...)
	}
	return fail("it says nothing, and ends with exit code 0")
}
