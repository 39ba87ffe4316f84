package smoke

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"sync-sidecar/runner/schema"
)

// Baseline is what an earlier release of the connector answered: either may be missing.
type Baseline struct {
	Spec    json.RawMessage `json:"spec,omitempty"`
	Catalog json.RawMessage `json:"catalog,omitempty"`
}

// ParseBaseline reads a baseline: the file of a recording, or the answer of spec or discover as `run` prints it.
func ParseBaseline(text []byte) (*Baseline, error) {
	var known struct {
		Baseline
		Streams       json.RawMessage `json:"streams"`
		Specification json.RawMessage `json:"connectionSpecification"`
	}
	if err := json.Unmarshal(text, &known); err != nil {
		return nil, fmt.Errorf("not JSON: %w", err)
	}
	baseline := known.Baseline
	if known.Streams != nil {
		baseline.Catalog = text
	}
	if known.Specification != nil {
		baseline.Spec = text
	}
	if baseline.Spec == nil && baseline.Catalog == nil {
		return nil, errors.New("neither a spec nor a catalog is in it")
	}
	return &baseline, nil
}

// baselineChecks compare with an earlier release.
func baselineChecks() []check {
	return []check{
		{"baseline.spec", "configurations of the last release still work", "connections that exist have one, and nobody asks before an update",
			"keep the property, make the new one optional, or announce a breaking change", []string{stepSpec}, baselineSpec},
		{"baseline.catalog", "streams, fields, keys and modes of the last release are still there, with their types",
			"tables, and what is built upon them, are made by them", "keep them, or announce a breaking change", []string{stepDiscover}, baselineCatalog},
	}
}

func baselineSpec(s *scenario) finding {
	if s.settings.Baseline == nil || s.settings.Baseline.Spec == nil {
		return skip("no --baseline with a spec was given")
	}
	before, err := schema.Decode(s.settings.Baseline.Spec)
	after := s.spec()
	if err != nil || after == nil {
		return skip("there is no spec")
	}
	now, err := schema.Decode(after)
	if err != nil {
		return skip("the spec cannot be read")
	}
	return faulty(Fail, few(specChanges(connectionSpecification(schema.Of(before)), connectionSpecification(schema.Of(now)), "")))
}

// specChanges are what breaks configurations that worked.
func specChanges(before, after schema.Object, path string) []string {
	var changes []string
	for _, name := range requiredBy(after) {
		_, has := after.Property(name)["default"]
		if !slices.Contains(requiredBy(before), name) && !has {
			changes = append(changes, path+name+" is required now")
		}
	}
	closed := after["additionalProperties"] == false
	for _, name := range names(before.Properties()) {
		old, now := before.Property(name), after.Property(name)
		switch {
		case now == nil && closed:
			changes = append(changes, path+name+" is gone, and refused")
		case now == nil:
			changes = append(changes, path+name+" is gone")
		case narrower(old.Types(), now.Types()):
			changes = append(changes, fmt.Sprintf("%s%s is %s now, was %s", path, name, strings.Join(now.Types(), " or "), strings.Join(old.Types(), " or ")))
		default:
			changes = append(changes, lostValues(old, now, path+name)...)
			changes = append(changes, specChanges(old, now, path+name+".")...)
		}
	}
	return changes
}

func requiredBy(o schema.Object) []string {
	list, _ := o["required"].([]any)
	var all []string
	for _, item := range list {
		if name, is := item.(string); is {
			all = append(all, name)
		}
	}
	return all
}

// narrower says that a type which was allowed is so no more. An integer is a number, too.
func narrower(before, after []string) bool {
	return len(after) > 0 && slices.ContainsFunc(before, func(name string) bool {
		return !slices.Contains(after, name) && (name != "integer" || !slices.Contains(after, "number"))
	})
}

func lostValues(before, after schema.Object, path string) []string {
	old, _ := before["enum"].([]any)
	now, limited := after["enum"].([]any)
	if !limited || len(old) == 0 {
		return nil
	}
	var lost []string
	for _, value := range old {
		if !slices.ContainsFunc(now, func(other any) bool { return fmt.Sprint(other) == fmt.Sprint(value) }) {
			lost = append(lost, fmt.Sprintf("%s may not be %v any more", path, value))
		}
	}
	return lost
}

func baselineCatalog(s *scenario) finding {
	if s.settings.Baseline == nil || s.settings.Baseline.Catalog == nil {
		return skip("no --baseline with a catalog was given")
	}
	before, err := entriesOf(s.settings.Baseline.Catalog)
	if err != nil || s.catalog() == nil {
		return skip("there is no catalog")
	}
	after, err := entriesOf(s.catalog())
	if err != nil {
		return skip("the catalog cannot be read")
	}
	var changes []string
	for _, old := range before {
		at := slices.IndexFunc(after, func(one entry) bool { return one.Descriptor() == old.Descriptor() })
		if at < 0 {
			changes = append(changes, fmt.Sprintf("stream %q is gone", old.Descriptor()))
			continue
		}
		for _, change := range streamChanges(old, after[at]) {
			changes = append(changes, fmt.Sprintf("stream %q: %s", old.Descriptor(), change))
		}
	}
	return faulty(Fail, few(changes), fmt.Sprintf("%d streams then, %d now", len(before), len(after)))
}

// streamChanges are what breaks syncs and tables that exist.
func streamChanges(before, after entry) []string {
	var changes []string
	for _, mode := range before.SupportedSyncModes {
		if !slices.Contains(after.SupportedSyncModes, mode) {
			changes = append(changes, "mode "+string(mode)+" is gone")
		}
	}
	if was, is := fmt.Sprint(before.SourceDefinedPrimaryKey), fmt.Sprint(after.SourceDefinedPrimaryKey); len(before.SourceDefinedPrimaryKey) > 0 &&
		was != is {
		changes = append(changes, fmt.Sprintf("the primary key is %s now, was %s", is, was))
	}
	if was, is := fmt.Sprint(before.DefaultCursorField), fmt.Sprint(after.DefaultCursorField); len(before.DefaultCursorField) > 0 && was != is {
		changes = append(changes, fmt.Sprintf("the default cursor is %s now, was %s", is, was))
	}
	return append(changes, fieldChanges(before.schema, after.schema, "")...)
}

func fieldChanges(before, after schema.Object, path string) []string {
	var changes []string
	for _, name := range names(before.Properties()) {
		old, now := before.Property(name), after.Property(name)
		switch {
		case now == nil:
			changes = append(changes, "field "+path+name+" is gone")
		case old.Kind() != now.Kind():
			changes = append(changes, fmt.Sprintf("field %s%s is %s now, was %s", path, name, now.Kind(), old.Kind()))
		default:
			changes = append(changes, fieldChanges(old, now, path+name+".")...)
		}
	}
	return changes
}
