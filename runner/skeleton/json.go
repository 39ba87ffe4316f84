package skeleton

import (
	"encoding/json"
	"fmt"
)

// JSON is the configuration that YAML is, without the rest: JSON has no comments that could explain it.
func JSON(spec []byte) ([]byte, error) {
	schema, err := read(spec)
	if err != nil {
		return nil, err
	}
	document, err := json.MarshalIndent(members(schema, 0), "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write the configuration: %w", err)
	}
	return append(document, '\n'), nil
}

// members are the properties of an object that are required, or have a preset.
func members(schema object, depth int) map[string]any {
	all := map[string]any{}
	for _, p := range schema.properties() {
		if !p.begins() {
			continue
		}
		nested := p.schema
		if choices := p.schema.choices(); len(choices) > 0 {
			nested = choices[0]
		}
		if nested.kind() == "object" && len(nested.properties()) > 0 && depth < maxDepth && p.required {
			all[p.name] = members(nested, depth+1)
			continue
		}
		all[p.name], _ = p.value()
	}
	return all
}
