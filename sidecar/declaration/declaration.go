// Package declaration reads which columns a stream's JSON schema declares. Its input is the schema as a connector wrote it, which may be empty or
// nonsense; its output are names and types, in the schema's order. It is pure.
package declaration

import (
	"encoding/json"
	"slices"
	"strings"

	"sync-sidecar/sidecar/jsonobject"
)

// Type is the type of a column, numbered as Bulker numbers it (bulkerlib/types/datatype.go).
type Type int

// The types of columns that a schema can tell.
const (
	Boolean   Type = 1
	Integer   Type = 2
	Number    Type = 3
	String    Type = 4
	Timestamp Type = 5
	JSON      Type = 6
)

// Field is a declared column: a top-level property of the schema.
type Field struct {
	Name string `json:"name"`
	Type Type   `json:"type"`
}

// maxSchemaDepth bounds $ref and nested unions, so that a schema that refers to itself ends.
const maxSchemaDepth = 16

// wellKnownTypes are the definitions of the protocol's WellKnownTypes.json (well_known_types.yaml, v0.18) as columns. Bulker has no type for a time
// of day, and none for binary data.
func wellKnownTypes(definition string) (Type, bool) {
	switch definition {
	case "Boolean":
		return Boolean, true
	case "Integer":
		return Integer, true
	case "Number":
		return Number, true
	case "Date", "TimestampWithTimezone", "TimestampWithoutTimezone":
		return Timestamp, true
	case "String", "BinaryData", "TimeWithTimezone", "TimeWithoutTimezone":
		return String, true
	}
	return 0, false
}

// schemaNode is what of a JSON schema tells a type.
type schemaNode struct {
	Ref             string          `json:"$ref"`
	Type            json.RawMessage `json:"type"`
	Format          string          `json:"format"`
	AirbyteType     string          `json:"airbyte_type"`
	ContentEncoding string          `json:"contentEncoding"`
	OneOf           []schemaRaw     `json:"oneOf"`
	AnyOf           []schemaRaw     `json:"anyOf"`
	AllOf           []schemaRaw     `json:"allOf"`
	Properties      json.RawMessage `json:"properties"`
	Items           json.RawMessage `json:"items"`
}

type schemaRaw = json.RawMessage

// Fields are the columns that a stream's json_schema declares, in its order. A property whose type cannot be told is not declared, so
// that the destination takes the type of the values. Neither is an object with a part of the primary key in it: a declared object becomes
// one JSON column, and the key needs its own.
func Fields(schema json.RawMessage, key [][]string) []Field {
	resolver := schemaResolver{root: schema}
	node, ok := resolver.node(schema)
	if !ok {
		return nil
	}
	var fields []Field
	for _, property := range properties(node.Properties) {
		found, known := resolver.typeOf(property.Value, 0)
		if !known || property.Name == "" {
			continue
		}
		nested := slices.ContainsFunc(key, func(path []string) bool { return len(path) > 1 && path[0] == property.Name })
		if found == JSON && nested {
			continue
		}
		fields = append(fields, Field{Name: property.Name, Type: found})
	}
	return fields
}

// schemaResolver tells types within one schema, whose own definitions a $ref may name.
type schemaResolver struct {
	root json.RawMessage
}

// node decodes what it can: a schema that is no object, or has a member of the wrong type, tells nothing and is no error.
func (r schemaResolver) node(raw json.RawMessage) (schemaNode, bool) {
	var node schemaNode
	if err := json.Unmarshal(raw, &node); err != nil {
		return schemaNode{}, false
	}
	return node, true
}

// Type is the column type of a property; false when it cannot be told.
func (r schemaResolver) typeOf(raw json.RawMessage, depth int) (Type, bool) {
	node, ok := r.node(raw)
	if !ok || depth > maxSchemaDepth {
		return 0, false
	}
	if node.Ref != "" {
		return r.reference(node.Ref, depth)
	}
	if node.AirbyteType == "json" {
		return JSON, true
	}
	types := typeNames(node.Type)
	if union := slices.Concat(node.OneOf, node.AnyOf); len(union) > 0 && !slices.Contains(types, "object") {
		return r.union(union, depth)
	}
	if len(types) == 0 {
		return r.untyped(node, depth)
	}
	found := make([]Type, 0, len(types))
	for _, name := range types {
		if one, ok := namedType(name, node); ok {
			found = append(found, one)
		}
	}
	return commonType(found)
}

// reference follows a $ref to a well-known type or into the schema itself.
func (r schemaResolver) reference(ref string, depth int) (Type, bool) {
	file, pointer, _ := strings.Cut(ref, "#/")
	if strings.HasSuffix(file, "WellKnownTypes.json") {
		return wellKnownTypes(strings.TrimPrefix(pointer, "definitions/"))
	}
	if file != "" || pointer == "" {
		return 0, false
	}
	target := r.root
	for _, part := range strings.Split(pointer, "/") {
		part = strings.NewReplacer("~1", "/", "~0", "~").Replace(part) // RFC 6901
		var object map[string]json.RawMessage
		if err := json.Unmarshal(target, &object); err != nil {
			return 0, false
		}
		target = object[part]
	}
	return r.typeOf(target, depth+1)
}

// union is the type that takes every branch; a branch that is null adds nothing.
func (r schemaResolver) union(branches []schemaRaw, depth int) (Type, bool) {
	var found []Type
	for _, branch := range branches {
		if node, ok := r.node(branch); ok && slices.Equal(typeNames(node.Type), []string{"null"}) {
			continue
		}
		one, ok := r.typeOf(branch, depth+1)
		if !ok {
			return 0, false
		}
		found = append(found, one)
	}
	return commonType(found)
}

// untyped tells the type of a schema without `type` by what else it says.
func (r schemaResolver) untyped(node schemaNode, depth int) (Type, bool) {
	switch {
	case len(node.AllOf) > 0:
		for _, part := range node.AllOf {
			if found, ok := r.typeOf(part, depth+1); ok {
				return found, true
			}
		}
	case len(node.Properties) > 0 || len(node.Items) > 0:
		return JSON, true
	case node.Format != "" || node.AirbyteType != "":
		return namedType("string", node)
	}
	return 0, false
}

// typeNames are the names in a `type`, which is a string or a list.
func typeNames(raw json.RawMessage) []string {
	var one string
	if err := json.Unmarshal(raw, &one); err == nil {
		return []string{one}
	}
	var many []string
	if err := json.Unmarshal(raw, &many); err == nil {
		return many
	}
	return nil
}

// namedType is the column type of one name of a `type`; false for null and for what is no type. The right column of Airbyte's
// supported-data-types.md, with the types that Bulker has.
func namedType(name string, node schemaNode) (Type, bool) {
	switch name {
	case "boolean":
		return Boolean, true
	case "integer":
		return Integer, true
	case "number":
		if node.AirbyteType == "integer" {
			return Integer, true
		}
		return Number, true
	case "object", "array":
		return JSON, true
	case "string":
		return stringType(node), true
	}
	return 0, false
}

// stringType tells dates from other strings. A big integer stays a string: it may not fit 64 bits.
func stringType(node schemaNode) Type {
	switch {
	case node.ContentEncoding != "":
		return String
	case strings.HasPrefix(node.AirbyteType, "timestamp_"), node.Format == "date-time", node.Format == "date":
		return Timestamp
	}
	return String
}

// commonType is the narrowest type that takes the values of all. What may be a scalar or a structure becomes a string, as in Jitsu's sidecar
// (sync-sidecar/types.go): Bulker makes text of arrays, flattens objects, and has no way from text to JSON.
func commonType(types []Type) (Type, bool) {
	if len(types) == 0 {
		return 0, false
	}
	common := types[0]
	for _, next := range types[1:] {
		switch {
		case next == common:
		case (common == Integer || common == Number) && (next == Integer || next == Number):
			common = Number
		default:
			common = String
		}
	}
	return common, true
}

// properties are the members of an object in their order; of a repeated name the first place and the last value. None when raw is no object.
func properties(raw json.RawMessage) []jsonobject.Member {
	members, err := jsonobject.Split(raw)
	if err != nil {
		return nil
	}
	places := make(map[string]int, len(members))
	list := members[:0]
	for _, member := range members {
		if at, repeated := places[member.Name]; repeated {
			list[at].Value = member.Value
			continue
		}
		places[member.Name] = len(list)
		list = append(list, member)
	}
	return list
}
