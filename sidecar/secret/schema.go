package secret

import "strings"

// What ends a schema whose references lead in a circle, or multiply: it is the connector that wrote it (I7).
const (
	maxSchemaDepth = 64
	maxSchemaSteps = 100_000
)

// unions are the keywords that hold alternative or additional schemas of the same value.
var unions = []string{"oneOf", "anyOf", "allOf"}

// bySchema finds the values at airbyte_secret places. It follows the keywords of JSON schema draft 7 that connectors use to nest; it does not
// validate, so a config that fits no branch still has its secrets found.
func (f *finder) bySchema(value, schema any, depth int) {
	object, ok := schema.(map[string]any)
	if !ok || depth == 0 || f.steps == maxSchemaSteps {
		return
	}
	f.steps++
	if marked(object["airbyte_secret"]) {
		f.add(value)
		return
	}
	if reference, ok := object["$ref"].(string); ok {
		f.bySchema(value, f.resolve(reference), depth-1)
	}
	for _, keyword := range unions {
		branches, ok := object[keyword].([]any)
		if !ok {
			continue
		}
		for _, branch := range branches {
			f.bySchema(value, branch, depth-1)
		}
	}
	for _, keyword := range []string{"if", "then", "else"} {
		f.bySchema(value, object[keyword], depth-1)
	}
	switch value := value.(type) {
	case map[string]any:
		f.properties(value, object, depth)
	case []any:
		f.items(value, object, depth)
	}
}

// properties goes into an object.
func (f *finder) properties(value, schema map[string]any, depth int) {
	named, _ := schema["properties"].(map[string]any)
	patterned, _ := schema["patternProperties"].(map[string]any)
	for name, item := range value {
		if property, ok := named[name]; ok {
			f.bySchema(item, property, depth-1)
			continue
		}
		// Which pattern fits does not matter to a secret: too much masked is better than too little.
		for _, property := range patterned {
			f.bySchema(item, property, depth-1)
		}
		f.bySchema(item, schema["additionalProperties"], depth-1)
	}
}

// items goes into an array; `items` is one schema for all or a list by position.
func (f *finder) items(value []any, schema map[string]any, depth int) {
	for at, item := range value {
		f.bySchema(item, schema["items"], depth-1)
		for _, keyword := range []string{"items", "prefixItems"} {
			if list, ok := schema[keyword].([]any); ok && at < len(list) {
				f.bySchema(item, list[at], depth-1)
			}
		}
		f.bySchema(item, schema["additionalItems"], depth-1)
	}
}

// resolve follows a reference within the schema, as #/definitions/credentials.
func (f *finder) resolve(reference string) any {
	pointer, ok := strings.CutPrefix(reference, "#")
	if !ok {
		return nil
	}
	at := f.root
	for part := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		if part == "" {
			continue
		}
		object, ok := at.(map[string]any)
		if !ok {
			return nil
		}
		at = object[strings.NewReplacer("~1", "/", "~0", "~").Replace(part)]
	}
	return at
}

// marked reads airbyte_secret, which some connectors write as text.
func marked(flag any) bool {
	switch flag := flag.(type) {
	case bool:
		return flag
	case string:
		return strings.EqualFold(flag, "true")
	}
	return false
}
