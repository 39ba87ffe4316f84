package project

import (
	"encoding/json"
	"fmt"
)

// durationPattern takes durations as time.ParseDuration does, and ${NAME}.
const durationPattern = `^[-+]?(0|([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+$|\$\{`

// Schema is a JSON Schema (draft-07) of files with these options, for editors.
func Schema(known []Option) ([]byte, error) {
	properties := map[string]any{}
	for _, option := range known {
		properties[option.Name] = option.schema()
	}
	options := map[string]string{"$ref": "#/definitions/options"}
	object := func(members map[string]any) map[string]any {
		members["type"] = "object"
		return members
	}
	schema := object(map[string]any{
		"$schema":              "http://json-schema.org/draft-07/schema#",
		"title":                "sync-sidecar.yaml",
		"description":          "Named syncs for `sync-sidecar run NAME` and `run --all`. ${NAME} in texts is taken from the environment.",
		"additionalProperties": false,
		"patternProperties":    map[string]any{"^x-": map[string]any{"description": "For anchors: nothing here looks at it."}},
		"required":             []string{"syncs"},
		"properties": map[string]any{
			"$schema":  map[string]any{"type": "string"},
			"defaults": map[string]any{"allOf": []any{options}, "description": "Options of all syncs that say nothing else."},
			"syncs": object(map[string]any{"minProperties": 1, "additionalProperties": options, "description": "Syncs by name: results, rows and state " +
				"are kept under it.", "propertyNames": map[string]any{"pattern": namePattern.String(), "not": map[string]any{"enum": reserved()}}}),
		},
		"definitions": map[string]any{"options": object(map[string]any{"additionalProperties": false, "properties": properties})},
	})
	text, err := json.MarshalIndent(schema, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode the schema: %w", err)
	}
	return append(text, '\n'), nil
}

// schema is that of an option's value.
func (o Option) schema() map[string]any {
	scalars := []string{"string", "number", "boolean"}
	list := map[string]any{"type": append([]string{"array"}, scalars...), "items": map[string]any{"type": scalars}}
	schema := map[Kind]map[string]any{
		Text:     {"type": scalars},
		Integer:  {"type": []string{"integer", "string"}},
		Number:   {"type": []string{"number", "string"}},
		Duration: {"type": []string{"string", "integer"}, "pattern": durationPattern, "maximum": 0},
		Switch:   {"type": []string{"boolean", "string"}},
		List:     list,
		Pairs:    {"type": append([]string{"array", "object"}, scalars...), "items": map[string]any{"type": scalars}},
		Document: {"type": []string{"string", "object", "array", "null"}},
	}[o.Kind]
	schema["description"] = o.Usage
	return schema
}
