package bulker

import (
	"encoding/json"
	"slices"
	"strings"

	"sync-sidecar/sidecar/jsonobject"
)

// dataType is the type of a column, numbered as the X-Jitsu-Schema header numbers it (bulkerlib/types/datatype.go).
type dataType int

// The data types of Bulker.
const (
	typeBool      dataType = 1
	typeInt64     dataType = 2
	typeFloat64   dataType = 3
	typeString    dataType = 4
	typeTimestamp dataType = 5
	typeJSON      dataType = 6
)

// field is a declared column of a table.
type field struct {
	Name string   `json:"name"`
	Type dataType `json:"type"`
}

// maxSchemaDepth bounds $ref and nested unions, so that a schema that refers to itself ends.
const maxSchemaDepth = 16

// wellKnownTypes are the definitions of the protocol's WellKnownTypes.json (well_known_types.yaml, v0.18) as columns. Bulker has no type for a
// time of day, and none for binary data.
func wellKnownTypes(definition string) (dataType, bool) {
	switch definition {
	case "Boolean":
		return typeBool, true
	case "Integer":
		return typeInt64, true
	case "Number":
		return typeFloat64, true
	case "Date", "TimestampWithTimezone", "TimestampWithoutTimezone":
		return typeTimestamp, true
	case "String", "BinaryData", "TimeWithTimezone", "TimeWithoutTimezone":
		return typeString, true
	}
	return 0, false
}

// schemaNode is what of a typeJSON schema tells a type.
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

// declaredFields are the columns that a stream's json_schema declares, in its order. A property whose type cannot be told is not declared, so
// that the destination takes the type of the values. Neither is an object with a part of the primary key in it: a declared object becomes
// one typeJSON column, and the key needs its own.
func declaredFields(schema json.RawMessage, key [][]string) []field {
	resolver := schemaResolver{root: schema}
	node, ok := resolver.node(schema)
	if !ok {
		return nil
	}
	var fields []field
	for _, property := range properties(node.Properties) {
		found, known := resolver.dataType(property.Value, 0)
		if !known || property.Name == "" || strings.HasPrefix(property.Name, "__sql_type") {
			continue // __sql_type… is a hint to Bulker and no column
		}
		nested := slices.ContainsFunc(key, func(path []string) bool { return len(path) > 1 && path[0] == property.Name })
		if found == typeJSON && nested {
			continue
		}
		fields = append(fields, field{Name: property.Name, Type: found})
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

// dataType is the column type of a property; false when it cannot be told.
func (r schemaResolver) dataType(raw json.RawMessage, depth int) (dataType, bool) {
	node, ok := r.node(raw)
	if !ok || depth > maxSchemaDepth {
		return 0, false
	}
	if node.Ref != "" {
		return r.reference(node.Ref, depth)
	}
	if node.AirbyteType == "json" {
		return typeJSON, true
	}
	types := typeNames(node.Type)
	if union := slices.Concat(node.OneOf, node.AnyOf); len(union) > 0 && !slices.Contains(types, "object") {
		return r.union(union, depth)
	}
	if len(types) == 0 {
		return r.untyped(node, depth)
	}
	found := make([]dataType, 0, len(types))
	for _, name := range types {
		if one, ok := namedType(name, node); ok {
			found = append(found, one)
		}
	}
	return commonType(found)
}

// reference follows a $ref to a well-known type or into the schema itself.
func (r schemaResolver) reference(ref string, depth int) (dataType, bool) {
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
	return r.dataType(target, depth+1)
}

// union is the type that takes every branch; a branch that is null adds nothing.
func (r schemaResolver) union(branches []schemaRaw, depth int) (dataType, bool) {
	var found []dataType
	for _, branch := range branches {
		if node, ok := r.node(branch); ok && slices.Equal(typeNames(node.Type), []string{"null"}) {
			continue
		}
		one, ok := r.dataType(branch, depth+1)
		if !ok {
			return 0, false
		}
		found = append(found, one)
	}
	return commonType(found)
}

// untyped tells the type of a schema without `type` by what else it says.
func (r schemaResolver) untyped(node schemaNode, depth int) (dataType, bool) {
	switch {
	case len(node.AllOf) > 0:
		for _, part := range node.AllOf {
			if found, ok := r.dataType(part, depth+1); ok {
				return found, true
			}
		}
	case len(node.Properties) > 0 || len(node.Items) > 0:
		return typeJSON, true
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
func namedType(name string, node schemaNode) (dataType, bool) {
	switch name {
	case "boolean":
		return typeBool, true
	case "integer":
		return typeInt64, true
	case "number":
		if node.AirbyteType == "integer" {
			return typeInt64, true
		}
		return typeFloat64, true
	case "object", "array":
		return typeJSON, true
	case "string":
		return stringType(node), true
	}
	return 0, false
}

// stringType tells dates from other strings. A big integer stays a string: it may not fit 64 bits.
func stringType(node schemaNode) dataType {
	switch {
	case node.ContentEncoding != "":
		return typeString
	case strings.HasPrefix(node.AirbyteType, "timestamp_"), node.Format == "date-time", node.Format == "date":
		return typeTimestamp
	}
	return typeString
}

// commonType is the narrowest type that takes the values of all. What may be a scalar or a structure becomes a string, as in Jitsu's sidecar
// (sync-sidecar/types.go): Bulker makes text of arrays, flattens objects, and has no way from text to JSON.
func commonType(types []dataType) (dataType, bool) {
	if len(types) == 0 {
		return 0, false
	}
	common := types[0]
	for _, next := range types[1:] {
		switch {
		case next == common:
		case (common == typeInt64 || common == typeFloat64) && (next == typeInt64 || next == typeFloat64):
			common = typeFloat64
		default:
			common = typeString
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
