package schema

import (
	"fmt"
	"slices"
	"strings"
)

// Object is a decoded schema, or a part of one.
type Object map[string]any

// Of is a decoded value as a schema; nil when it is none.
func Of(value any) Object {
	object, _ := value.(map[string]any)
	return object
}

// Properties are the schemas of the members of an object.
func (o Object) Properties() Object { return Of(o["properties"]) }

// Property is the schema of one member; nil when the schema does not name it.
func (o Object) Property(name string) Object { return Of(o.Properties()[name]) }

// At is the schema of what a path leads to, through alternatives too; nil when the schema does not name it.
func (o Object) At(path []string) Object {
	if len(path) == 0 || o == nil {
		return o
	}
	if found := o.Property(path[0]).At(path[1:]); found != nil {
		return found
	}
	for _, branch := range o.branches() {
		if found := branch.At(path); found != nil {
			return found
		}
	}
	return nil
}

// branches are the alternatives and additions of a schema.
func (o Object) branches() []Object {
	var all []Object
	for _, keyword := range []string{"oneOf", "anyOf", "allOf"} {
		list, _ := o[keyword].([]any)
		for _, item := range list {
			if branch := Of(item); branch != nil {
				all = append(all, branch)
			}
		}
	}
	return all
}

// Types are the JSON types that a schema allows, sorted; none where it says nothing.
func (o Object) Types() []string {
	var types []string
	switch declared := o["type"].(type) {
	case string:
		types = append(types, declared)
	case []any:
		for _, one := range declared {
			if name, is := one.(string); is {
				types = append(types, name)
			}
		}
	}
	if len(types) == 0 {
		for _, branch := range o.branches() {
			types = append(types, branch.Types()...)
		}
	}
	slices.Sort(types)
	return slices.Compact(types)
}

// Kind is the type of a schema for people: its types without null, and how Airbyte reads it.
func (o Object) Kind() string {
	types := slices.DeleteFunc(o.Types(), func(name string) bool { return name == "null" })
	text := strings.Join(types, " or ")
	if text == "" {
		text = "any"
	}
	for _, keyword := range []string{"airbyte_type", "format"} {
		if name, is := o[keyword].(string); is {
			return fmt.Sprintf("%s (%s)", text, name)
		}
	}
	return text
}

// maxDepth ends schemas that are nested without end.
const maxDepth = 64

// Walk visits every schema below this one, with the path of the value that it is about ("(all)" for the whole) and the keyword that led to it.
func (o Object) Walk(visit func(path string, at Object)) { o.walk(whole, 0, visit) }

func (o Object) walk(path string, depth int, visit func(string, Object)) {
	if o == nil || depth > maxDepth {
		return
	}
	visit(path, o)
	properties := o.Properties()
	for _, name := range sortedNames(properties) {
		Of(properties[name]).walk(join(path, name), depth+1, visit)
	}
	Of(o["items"]).walk(path+"[]", depth+1, visit)
	Of(o["additionalProperties"]).walk(join(path, "*"), depth+1, visit)
	for _, branch := range o.branches() {
		branch.walk(path, depth+1, visit)
	}
	definitions := Of(o["definitions"])
	for _, name := range sortedNames(definitions) {
		Of(definitions[name]).walk(join("definitions", name), depth+1, visit)
	}
}

func sortedNames(o Object) []string {
	names := make([]string, 0, len(o))
	for name := range o {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func join(path, name string) string {
	if path == whole {
		return name
	}
	return path + "." + name
}
