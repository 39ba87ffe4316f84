package schema

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// Violation is a place of a configuration that does not fit the spec of its connector.
type Violation struct {
	Path string // of the value, with the index of an item of a list, as in hosts[2].port; empty for the whole
	What string // what is there and what was expected: the spec's words and never the configuration's (I5)
	// Refused says that connectors which check their configuration refuse this, whatever their language. Python, Java and Go do not agree about
	// patterns and formats, and forms do not show everything that a spec limits: what else does not fit may work.
	Refused bool
}

// String is the violation in one line.
func (v Violation) String() string {
	if v.Path == "" {
		return "it " + v.What
	}
	return v.Path + " " + v.What
}

// Violations are the places where a decoded configuration does not fit, sorted, those that are refused first.
func (s *Schema) Violations(config any) []Violation {
	j := &judge{config: config, schemas: map[string]*jsonschema.Schema{}}
	j.index(s.compiled)
	found := j.misspelt(s.compiled, config, "")
	if failed, is := s.compiled.Validate(config).(*jsonschema.ValidationError); is { //nolint:errorlint // it is not wrapped
		found = append(found, j.judge(failed)...)
	}
	slices.SortStableFunc(found, func(a, b Violation) int {
		if a.Refused != b.Refused {
			if a.Refused {
				return -1
			}
			return 1
		}
		return cmp.Or(strings.Compare(a.Path, b.Path), strings.Compare(a.What, b.What))
	})
	return slices.Compact(found)
}

// judge turns failures of the library into violations.
type judge struct {
	config  any
	schemas map[string]*jsonschema.Schema // by location
}

// index remembers a schema and those below it.
func (j *judge) index(schema *jsonschema.Schema) {
	if schema == nil || j.schemas[schema.Location] != nil {
		return
	}
	j.schemas[schema.Location] = schema
	for _, below := range []*jsonschema.Schema{schema.Ref, schema.Not, schema.If, schema.Then, schema.Else, schema.Contains, schema.PropertyNames} {
		j.index(below)
	}
	for _, list := range [][]*jsonschema.Schema{schema.AllOf, schema.AnyOf, schema.OneOf} {
		for _, below := range list {
			j.index(below)
		}
	}
	for _, below := range schema.Properties {
		j.index(below)
	}
	for _, below := range schema.PatternProperties {
		j.index(below)
	}
	for _, other := range []any{schema.Items, schema.AdditionalProperties, schema.AdditionalItems} {
		switch below := other.(type) {
		case *jsonschema.Schema:
			j.index(below)
		case []*jsonschema.Schema:
			for _, one := range below {
				j.index(one)
			}
		}
	}
}

// judge goes down to the leaves of a failure.
func (j *judge) judge(failed *jsonschema.ValidationError) []Violation {
	schema := j.schemas[failed.SchemaURL]
	switch choice := failed.ErrorKind.(type) {
	case *kind.OneOf:
		if len(choice.Subschemas) > 1 {
			return []Violation{j.several(failed, schema, choice.Subschemas)}
		}
		if schema != nil {
			return j.alternatives(failed, schema.OneOf)
		}
	case *kind.AnyOf:
		if schema != nil {
			return j.alternatives(failed, schema.AnyOf)
		}
	case *kind.Required:
		return j.missing(failed, schema, choice.Missing)
	}
	if len(failed.Causes) == 0 {
		what, refused := expected(failed.ErrorKind)
		return []Violation{{Path: j.path(failed.InstanceLocation), What: what, Refused: refused}}
	}
	var all []Violation
	for _, cause := range failed.Causes {
		all = append(all, j.judge(cause)...)
	}
	return all
}

// missing tells of each member that is missing, and what it should be.
func (j *judge) missing(failed *jsonschema.ValidationError, schema *jsonschema.Schema, names []string) []Violation {
	var all []Violation
	for _, name := range names {
		what := "is missing"
		if property := propertyOf(schema, name); property != nil {
			what += wanted(property)
		}
		all = append(all, Violation{Path: j.path(append(slices.Clone(failed.InstanceLocation), name)), What: what, Refused: true})
	}
	return all
}

// wanted says what a value should be.
func wanted(property *jsonschema.Schema) string {
	text := ""
	if constant, is := constantOf(property); is {
		return ", want " + literal(constant)
	}
	facets(property, func(part *jsonschema.Schema) {
		switch {
		case text != "":
		case part.Enum != nil:
			text = ", want one of " + literals(part.Enum.Values)
		case part.Types != nil && !part.Types.IsEmpty():
			text = ", want " + strings.Join(part.Types.ToStrings(), " or ")
		}
	})
	facets(property, func(part *jsonschema.Schema) {
		if part.Default != nil && isScalar(*part.Default) {
			text += fmt.Sprintf(" (Airbyte's forms fill in %s)", literal(*part.Default))
		}
	})
	return text
}

// expected says what was expected of a value, and whether a connector refuses what is there.
func expected(failed jsonschema.ErrorKind) (text string, refused bool) {
	switch failed := failed.(type) {
	case *kind.Type:
		text := fmt.Sprintf("is %s, want %s", failed.Got, strings.Join(failed.Want, " or "))
		if failed.Got == "null" {
			text += ": give it a value, or leave it out"
		}
		return text, true
	case *kind.Enum:
		return "is none of " + literals(failed.Want), true
	case *kind.Const:
		return "has to be " + literal(failed.Want), true
	case *kind.Pattern:
		return "does not match the pattern " + cut(failed.Want), false
	case *kind.Format:
		return "does not look like a " + failed.Want, false
	case *kind.Minimum:
		return "is less than " + failed.Want.RatString(), false
	case *kind.Maximum:
		return "is more than " + failed.Want.RatString(), false
	case *kind.MinLength:
		return fmt.Sprintf("has %d characters, want %d at least", failed.Got, failed.Want), false
	case *kind.MaxLength:
		return fmt.Sprintf("has %d characters, want %d at most", failed.Got, failed.Want), false
	case *kind.MinItems:
		return fmt.Sprintf("has %d items, want %d at least", failed.Got, failed.Want), false
	case *kind.Dependency:
		return fmt.Sprintf("lacks %s, which %s needs", strings.Join(failed.Missing, ", "), failed.Prop), false
	case *kind.MaxItems:
		return fmt.Sprintf("has %d items, want %d at most", failed.Got, failed.Want), false
	}
	return strings.Replace(what(failed), "the schema", "the spec", 1), false
}

// path is a location as people write it.
func (j *judge) path(location []string) string {
	var path strings.Builder
	node := j.config
	for _, part := range location {
		if list, is := node.([]any); is {
			fmt.Fprintf(&path, "[%s]", part)
			node = itemAt(list, part)
			continue
		}
		if path.Len() > 0 {
			path.WriteByte('.')
		}
		path.WriteString(part)
		object, _ := node.(map[string]any)
		node = object[part]
	}
	return path.String()
}

// at is the value at a location.
func (j *judge) at(location []string) any {
	node := j.config
	for _, part := range location {
		switch value := node.(type) {
		case map[string]any:
			node = value[part]
		case []any:
			node = itemAt(value, part)
		default:
			return nil
		}
	}
	return node
}

// maxLiterals is how many values of the spec a message names.
const maxLiterals = 12

func literals(values []any) string {
	var texts []string
	for i, value := range values {
		if i == maxLiterals {
			texts = append(texts, fmt.Sprintf("%d more", len(values)-i))
			break
		}
		texts = append(texts, literal(value))
	}
	return strings.Join(texts, ", ")
}

// literal is a value of the spec as JSON writes it, cut when it is long.
func literal(value any) string {
	if text, is := value.(string); is {
		return cut(strconv.Quote(text))
	}
	return cut(fmt.Sprint(value))
}

func cut(text string) string {
	const longest = 80
	if runes := []rune(text); len(runes) > longest {
		return string(runes[:longest]) + "…"
	}
	return text
}

func isScalar(value any) bool {
	switch value.(type) {
	case map[string]any, []any, nil:
		return false
	}
	return true
}
