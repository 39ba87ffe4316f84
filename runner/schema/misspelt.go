package schema

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/xrash/smetrics"
)

// alike is the least Jaro-Winkler similarity (0 to 1) of two names of which one is taken for a slip of the other.
const alike = 0.9

// misspelt finds members that the spec does not name, and that are spelt much like one that it names and that is not set. Specs rarely forbid unknown
// members, so that a setting whose name has a slip has no effect, and nobody says so.
func (j *judge) misspelt(schema *jsonschema.Schema, value any, path string) []Violation {
	object, is := value.(map[string]any)
	if !is || schema == nil {
		return nil
	}
	known := map[string]*jsonschema.Schema{}
	branches := []*jsonschema.Schema{schema}
	facets(schema, func(part *jsonschema.Schema) { branches = append(branches, slices.Concat(part.OneOf, part.AnyOf)...) })
	for _, branch := range branches {
		if branch == schema || isMeant(branch, object) || len(constants(branch)) == 0 {
			facets(branch, func(part *jsonschema.Schema) {
				for name, property := range part.Properties {
					known[name] = property
				}
			})
		}
	}
	var found []Violation
	for _, name := range sortedNames(object) {
		at := strings.TrimPrefix(path+"."+name, ".")
		if property := known[name]; property != nil {
			found = append(found, j.misspelt(property, object[name], at)...)
			continue
		}
		for _, other := range slices.Sorted(maps.Keys(known)) {
			if _, set := object[other]; !set && isSlip(name, other) {
				found = append(found, Violation{Path: at, What: fmt.Sprintf("is no setting of the spec: is %s meant?", other)})
				break
			}
		}
	}
	return found
}

// isSlip says that two names differ by what people slip at: case, separators, a letter.
func isSlip(name, other string) bool {
	plain := func(text string) string {
		return strings.NewReplacer("_", "", "-", "", " ", "", ".", "").Replace(strings.ToLower(text))
	}
	name, other = plain(name), plain(other)
	return name == other || len(name) > 3 && smetrics.JaroWinkler(name, other, 0.7, 4) >= alike
}
