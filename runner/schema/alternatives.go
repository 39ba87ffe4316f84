package schema

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// alternatives judges a value that fits none of several schemas by the one that was meant: in Airbyte's specs each has a constant, under one name,
// that tells it from the others ("Connector Specification Reference", oneOf). Where nothing tells, it is the one that fits best.
func (j *judge) alternatives(failed *jsonschema.ValidationError, branches []*jsonschema.Schema) []Violation {
	object, isObject := j.at(failed.InstanceLocation).(map[string]any)
	if types, all := typesWanted(failed); all {
		text, _ := expected(&kind.Type{Got: wrongType(failed, failed.Causes[0]).Got, Want: types})
		return []Violation{{Path: j.path(failed.InstanceLocation), What: text, Refused: true}}
	}
	possible := suitable(failed)
	if len(failed.Causes) != len(branches) || len(possible) == 0 { // which cannot be
		return []Violation{{Path: j.path(failed.InstanceLocation), What: "fits none of the alternatives", Refused: true}}
	}
	told := false
	if isObject {
		meant := slices.DeleteFunc(slices.Clone(possible), func(i int) bool { return !isMeant(branches[i], object) })
		if len(meant) == 0 {
			if told := j.unknownChoice(failed, branches, object); told != nil {
				return told
			}
		} else {
			possible, told = meant, true
		}
	}
	var best [][]Violation
	var titles []string
	var fit [2]int
	for _, i := range possible {
		found := j.judge(failed.Causes[i])
		next := [2]int{-familiar(branches[i], object), count(found)} // who sets what only one of them has means that one
		order := slices.Compare(next[:], fit[:])
		if len(best) == 0 || order < 0 {
			best, titles, fit = [][]Violation{found}, []string{titleOf(branches[i], i)}, next
		} else if order == 0 {
			best, titles = append(best, found), append(titles, titleOf(branches[i], i))
		}
	}
	if told || len(best) == 1 {
		return best[0]
	}
	return []Violation{j.none(failed, best, titles)}
}

// familiar is how many members of an object the alternative names.
func familiar(branch *jsonschema.Schema, object map[string]any) int {
	n := 0
	for name := range object {
		if propertyOf(branch, name) != nil {
			n++
		}
	}
	return n
}

// none tells of a value that fits several alternatives equally badly.
func (j *judge) none(failed *jsonschema.ValidationError, lacks [][]Violation, titles []string) Violation {
	const most = 4
	path := j.path(failed.InstanceLocation)
	var texts []string
	for i, found := range lacks[:min(most, len(lacks))] {
		text := found[0].String()
		texts = append(texts, fmt.Sprintf("%s (%s)", titles[i], strings.TrimPrefix(text, path+".")))
	}
	return Violation{Path: path, What: "fits none of the alternatives: " + strings.Join(texts, ", "), Refused: true}
}

// titleOf is what a spec calls an alternative.
func titleOf(branch *jsonschema.Schema, index int) string {
	title := ""
	facets(branch, func(part *jsonschema.Schema) {
		if title == "" {
			title = part.Title
		}
	})
	if title == "" {
		return fmt.Sprintf("the %d.", index+1)
	}
	return literal(title)
}

// count is how many violations are refused.
func count(all []Violation) int {
	n := 0
	for _, v := range all {
		if v.Refused {
			n++
		}
	}
	return n
}

// typesWanted are the types that the alternatives have, if the value has none of them.
func typesWanted(failed *jsonschema.ValidationError) (types []string, all bool) {
	for _, cause := range failed.Causes {
		wrong := wrongType(failed, cause)
		if wrong == nil {
			return nil, false
		}
		types = append(types, wrong.Want...)
	}
	slices.Sort(types)
	return slices.Compact(types), len(types) > 0
}

// wrongType is how the type of the value is wrong for an alternative; nil when it is right.
func wrongType(failed, cause *jsonschema.ValidationError) *kind.Type {
	for {
		switch wrong := cause.ErrorKind.(type) {
		case *kind.Type:
			if len(cause.InstanceLocation) == len(failed.InstanceLocation) {
				return wrong
			}
			return nil
		case *kind.Reference, *kind.AllOf:
			if len(cause.Causes) != 1 {
				return nil
			}
			cause = cause.Causes[0]
		default:
			return nil
		}
	}
}

// suitable are the alternatives whose type the value has.
func suitable(failed *jsonschema.ValidationError) []int {
	var all []int
	for i, cause := range failed.Causes {
		if wrongType(failed, cause) == nil {
			all = append(all, i)
		}
	}
	return all
}

// isMeant says that an object has a constant of the alternative, and none of another.
func isMeant(branch *jsonschema.Schema, object map[string]any) bool {
	same := false
	for name, want := range constants(branch) {
		got, there := object[name]
		if there && got != want {
			return false
		}
		same = same || there
	}
	return same
}

// unknownChoice tells of an object whose member that makes the choice is missing, or names no alternative; nil where there is no such member.
func (j *judge) unknownChoice(failed *jsonschema.ValidationError, branches []*jsonschema.Schema, object map[string]any) []Violation {
	values := map[string][]any{}
	required := map[string]bool{}
	for _, branch := range branches {
		for name, constant := range constants(branch) {
			if !slices.Contains(values[name], constant) {
				values[name] = append(values[name], constant)
			}
			facets(branch, func(part *jsonschema.Schema) { required[name] = required[name] || slices.Contains(part.Required, name) })
		}
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		got, there := object[name]
		if len(values[name]) < 2 || !there && !required[name] || slices.Contains(values[name], got) {
			continue
		}
		text := "is none of "
		if !there {
			text = "is missing, want one of "
		}
		path := j.path(append(slices.Clone(failed.InstanceLocation), name))
		return []Violation{{Path: path, What: text + literals(values[name]), Refused: true}}
	}
	return nil
}

// several tells of a value that fits two alternatives, where one is wanted.
func (j *judge) several(failed *jsonschema.ValidationError, schema *jsonschema.Schema, fitting []int) Violation {
	var titles []string
	for _, i := range fitting {
		if schema != nil && i < len(schema.OneOf) {
			titles = append(titles, titleOf(schema.OneOf[i], i))
		}
	}
	return Violation{Path: j.path(failed.InstanceLocation), Refused: true,
		What: "fits several alternatives of the spec, want one: " + strings.Join(titles, " and ")}
}

// constants are the members of an object that have to have one value.
func constants(schema *jsonschema.Schema) map[string]any {
	all := map[string]any{}
	facets(schema, func(part *jsonschema.Schema) {
		for name, property := range part.Properties {
			if constant, is := constantOf(property); is && isScalar(constant) {
				all[name] = constant
			}
		}
	})
	return all
}

// constantOf is the one value that a schema allows, if it is one.
func constantOf(schema *jsonschema.Schema) (constant any, is bool) {
	facets(schema, func(part *jsonschema.Schema) {
		switch {
		case part.Const != nil:
			constant, is = *part.Const, true
		case part.Enum != nil && len(part.Enum.Values) == 1 && !is:
			constant, is = part.Enum.Values[0], true
		}
	})
	return constant, is
}

// propertyOf is the schema of a member; nil when the schema names none.
func propertyOf(schema *jsonschema.Schema, name string) *jsonschema.Schema {
	var found *jsonschema.Schema
	facets(schema, func(part *jsonschema.Schema) {
		if found == nil {
			found = part.Properties[name]
		}
	})
	return found
}

// facets visits a schema and all that holds together with it: what it refers to, and what it is made of (allOf).
func facets(schema *jsonschema.Schema, visit func(part *jsonschema.Schema)) {
	seen := map[*jsonschema.Schema]bool{}
	var descend func(*jsonschema.Schema)
	descend = func(part *jsonschema.Schema) {
		if part == nil || seen[part] {
			return
		}
		seen[part] = true
		visit(part)
		descend(part.Ref)
		for _, other := range part.AllOf {
			descend(other)
		}
	}
	descend(schema)
}
