package sidecar

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
)

// TestColumnTypes follows the table of Airbyte's types (docs/platform/understanding-airbyte/supported-data-types.md and well_known_types.yaml).
func TestColumnTypes(t *testing.T) {
	t.Parallel()
	const definitions = `"definitions":{"id":{"type":"integer"},"loop":{"$ref":"#/definitions/loop"},"a/b":{"type":"boolean"},
		"chain":{"$ref":"#/definitions/id"}}`
	const undeclared = DataType(0)
	for property, want := range map[string]DataType{
		`{"type":"string"}`:                              String,
		`{"type":"boolean"}`:                             Bool,
		`{"type":"integer"}`:                             Int64,
		`{"type":"number"}`:                              Float64,
		`{"type":"number","airbyte_type":"integer"}`:     Int64,
		`{"type":"string","airbyte_type":"big_integer"}`: String,
		`{"type":"string","contentEncoding":"base64"}`:   String,
		`{"type":"string","format":"date"}`:              Timestamp,
		`{"type":"string","format":"date-time"}`:         Timestamp,
		`{"type":"string","format":"date-time","airbyte_type":"timestamp_without_timezone"}`: Timestamp,
		`{"type":"string","airbyte_type":"timestamp_with_timezone"}`:                         Timestamp,
		`{"type":"string","format":"time","airbyte_type":"time_with_timezone"}`:              String,
		`{"type":"string","format":"email"}`:                                                 String,
		`{"type":"array","items":{"type":"string"}}`:                                         JSON,
		`{"type":"object"}`:                      JSON,
		`{"properties":{"a":{"type":"string"}}}`: JSON,
		`{"type":"object","oneOf":[{"type":"string"}],"airbyte_type":"json"}`:          JSON,
		`{"type":"object","oneOf":[{"properties":{"a":{}}}]}`:                          JSON,
		`{"type":["null","integer"]}`:                                                  Int64,
		`{"type":["integer","null","number"]}`:                                         Float64,
		`{"type":["string","integer"]}`:                                                String,
		`{"type":["boolean","integer"]}`:                                               String,
		`{"type":["null","string"],"format":"date-time"}`:                              Timestamp,
		`{"type":["array","object"]}`:                                                  JSON,
		`{"type":["array","string"]}`:                                                  String,
		`{"type":["null"]}`:                                                            undeclared,
		`{"type":"null"}`:                                                              undeclared,
		`{"oneOf":[{"type":"null"},{"type":"integer"}]}`:                               Int64,
		`{"anyOf":[{"type":"integer"},{"type":"number"}]}`:                             Float64,
		`{"anyOf":[{"type":"object"},{"type":"array"}]}`:                               JSON,
		`{"oneOf":[{"type":"string"},{"type":"object"}]}`:                              String,
		`{"oneOf":[{"type":"string"},{}]}`:                                             undeclared,
		`{"allOf":[{"description":"x"},{"type":"boolean"}]}`:                           Bool,
		`{"oneOf":[{"$ref":"WellKnownTypes.json#/definitions/Date"},{"type":"null"}]}`: Timestamp,
		`{"$ref":"WellKnownTypes.json#/definitions/String"}`:                           String,
		`{"$ref":"WellKnownTypes.json#/definitions/BinaryData"}`:                       String,
		`{"$ref":"WellKnownTypes.json#/definitions/Boolean"}`:                          Bool,
		`{"$ref":"WellKnownTypes.json#/definitions/Integer"}`:                          Int64,
		`{"$ref":"WellKnownTypes.json#/definitions/Number"}`:                           Float64,
		`{"$ref":"WellKnownTypes.json#/definitions/TimestampWithTimezone"}`:            Timestamp,
		`{"$ref":"WellKnownTypes.json#/definitions/TimestampWithoutTimezone"}`:         Timestamp,
		`{"$ref":"WellKnownTypes.json#/definitions/TimeWithTimezone"}`:                 String,
		`{"$ref":"WellKnownTypes.json#/definitions/TimeWithoutTimezone"}`:              String,
		`{"$ref":"WellKnownTypes.json#/definitions/Other"}`:                            undeclared,
		`{"$ref":"#/definitions/id"}`:                                                  Int64,
		`{"$ref":"#/definitions/chain"}`:                                               Int64,
		`{"$ref":"#/definitions/a~1b"}`:                                                Bool,
		`{"$ref":"#/definitions/loop"}`:                                                undeclared,
		`{"$ref":"#/nowhere/at/all"}`:                                                  undeclared,
		`{"$ref":"other.json#/definitions/id"}`:                                        undeclared,
		`{}`:                                                                           undeclared,
		`true`:                                                                         undeclared,
		`{"type":5}`:                                                                   undeclared,
		`{"type":"date"}`:                                                              undeclared,
		`{"format":"date-time"}`:                                                       Timestamp,
	} {
		schema := json.RawMessage(fmt.Sprintf(`{"type":"object",%s,"properties":{"p":%s}}`, definitions, property))
		var got DataType
		if fields := declaredFields(schema, nil); len(fields) == 1 {
			got = fields[0].Type
		}
		if got != want {
			t.Errorf("%s: type %d, want %d", property, got, want)
		}
	}
}

func TestDeclaredFields(t *testing.T) {
	t.Parallel()
	const typical = `{"type":"object","properties":{"z":{"type":"string"},"a":{"type":"integer"},"o":{"type":"object"},"":{"type":"string"},
		"__sql_type_a":{"type":"string"},"a":{"type":"number"},"q":{"type":"object"}}}`
	for name, c := range map[string]struct {
		schema string
		key    [][]string
		want   []Field
	}{
		"in order, last of a name":     {typical, nil, []Field{{"z", String}, {"a", Float64}, {"o", JSON}, {"q", JSON}}},
		"an object with a key in it":   {typical, [][]string{{"o", "id"}, {"q"}}, []Field{{"z", String}, {"a", Float64}, {"q", JSON}}},
		"no schema":                    {``, nil, nil},
		"null":                         {`null`, nil, nil},
		"not an object":                {`[1]`, nil, nil},
		"properties are not an object": {`{"properties":[]}`, nil, nil},
		"a member of the wrong type":   {`{"$ref":7,"properties":{"a":{"type":"string"}}}`, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := declaredFields(json.RawMessage(c.schema), c.key); !slices.Equal(got, c.want) {
				t.Errorf("fields %v, want %v", got, c.want)
			}
		})
	}
}
