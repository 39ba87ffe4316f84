// Package skeleton makes of a connector's spec a configuration for a person to fill in: every setting with what its spec says of it. A
// ConnectorSpecification comes in (Airbyte protocol, spec), and YAML with comments, or JSON, comes out; both are what --config takes.
package skeleton

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// property is a setting of the configuration.
type property struct {
	name     string
	schema   object
	required bool
}

// object is a decoded JSON schema, or a part of one.
type object map[string]any

// maxDepth ends schemas that are nested without end.
const maxDepth = 20

// read is the schema of the configuration.
func read(spec []byte) (object, error) {
	var specification struct {
		Schema object `json:"connectionSpecification"`
	}
	if err := json.Unmarshal(spec, &specification); err != nil {
		return nil, fmt.Errorf("read the connector's spec: %w", err)
	}
	if specification.Schema == nil {
		return nil, errors.New("the connector's spec has no connectionSpecification")
	}
	return specification.Schema, nil
}

// properties are those of an object, as a form would ask for them: by the spec's order, what is required first where that says nothing.
func (o object) properties() []property {
	members, _ := o["properties"].(map[string]any)
	var all []property
	for name, value := range members {
		if schema, is := value.(map[string]any); is {
			all = append(all, property{name, schema, slices.Contains(o.texts("required"), name)})
		}
	}
	slices.SortFunc(all, func(a, b property) int {
		if x, y := a.rank(), b.rank(); x != y {
			if x < y {
				return -1
			}
			return 1
		}
		return strings.Compare(a.name, b.name)
	})
	return all
}

// rank is where a property stands: by its order, then what is required, then the rest.
func (p property) rank() float64 {
	const last = 1e9
	switch order, ordered := p.schema["order"].(float64); {
	case ordered:
		return order
	case p.required:
		return last
	default:
		return last + 1
	}
}

// texts are the texts of a list.
func (o object) texts(key string) []string {
	list, _ := o[key].([]any)
	var texts []string
	for _, item := range list {
		if text, is := item.(string); is {
			texts = append(texts, text)
		}
	}
	return texts
}

// text is a text of the schema, on one line and without markup.
func (o object) text(key string) string {
	text, _ := o[key].(string)
	text = regexp.MustCompile(`<[^>]*>`).ReplaceAllString(text, "")
	return strings.Join(strings.Fields(text), " ")
}

// types are the JSON types that a value can have, without null.
func (o object) types() []string {
	if text, is := o["type"].(string); is {
		return []string{text}
	}
	return slices.DeleteFunc(o.texts("type"), func(name string) bool { return name == "null" })
}

// kind is the type that counts.
func (o object) kind() string {
	if types := o.types(); len(types) > 0 {
		return types[0]
	}
	if o["properties"] != nil || len(o.choices()) > 0 {
		return "object"
	}
	return "string"
}

// choices are the alternatives of a setting (oneOf), of which a configuration takes one.
func (o object) choices() []object {
	list, _ := o["oneOf"].([]any)
	if list == nil {
		list, _ = o["anyOf"].([]any)
	}
	var all []object
	for _, item := range list {
		if choice, is := item.(map[string]any); is {
			all = append(all, choice)
		}
	}
	return all
}

// isSecret says that the value is not to be shown to anybody.
func (o object) isSecret() bool {
	secret, _ := o["airbyte_secret"].(bool)
	return secret
}

// given is the value that the spec itself names: the only one, the preset, an example, or the first of those that are allowed.
func (o object) given() (any, bool) {
	for _, key := range []string{"const", "default"} {
		if value, there := o[key]; there && value != nil {
			return value, true
		}
	}
	if o.isSecret() {
		return nil, false
	}
	for _, key := range []string{"enum", "examples"} {
		if list, is := o[key].([]any); is && len(list) > 0 {
			return list[0], true
		}
	}
	return nil, false
}

// begins says that a configuration begins with the property: it is required, or has a preset. Airbyte's form fills presets in, and there are
// connectors that fail without (source-faker).
func (p property) begins() bool { return p.required || p.schema["default"] != nil }

// variable is what a secret is called in the configuration: ${VARIABLE}.
func variable(name string) string {
	name = strings.Trim(regexp.MustCompile(`[^A-Z0-9]+`).ReplaceAllString(strings.ToUpper(name), "_"), "_")
	if name == "" || name[0] >= '0' && name[0] <= '9' {
		name = "SECRET_" + name
	}
	return name
}

// value is what a setting without parts begins with, and whether the spec, or an environment, fills it in: what is left is for the person.
func (p property) value() (value any, filled bool) {
	if value, there := p.schema.given(); there {
		return value, true
	}
	if p.schema.isSecret() {
		return "${" + variable(p.name) + "}", true
	}
	switch p.schema.kind() {
	case "integer", "number":
		return 0, false
	case "boolean":
		return false, true
	case "array":
		return []any{}, true
	case "object":
		return map[string]any{}, true
	default:
		return "", false
	}
}
