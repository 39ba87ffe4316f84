package bulker

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
	const undeclared = dataType(0)
	for property, want := range map[string]dataType{
		`{"type":"string"}`:                              typeString,
		`{"type":"boolean"}`:                             typeBool,
		`{"type":"integer"}`:                             typeInt64,
		`{"type":"number"}`:                              typeFloat64,
		`{"type":"number","airbyte_type":"integer"}`:     typeInt64,
		`{"type":"string","airbyte_type":"big_integer"}`: typeString,
		`{"type":"string","contentEncoding":"base64"}`:   typeString,
		`{"type":"string","format":"date"}`:              typeTimestamp,
		`{"type":"string","format":"date-time"}`:         typeTimestamp,
		`{"type":"string","format":"date-time","airbyte_type":"timestamp_without_timezone"}`: typeTimestamp,
		`{"type":"string","airbyte_type":"timestamp_with_timezone"}`:                         typeTimestamp,
		`{"type":"string","format":"time","airbyte_type":"time_with_timezone"}`:              typeString,
		`{"type":"string","format":"email"}`:                                                 typeString,
		`{"type":"array","items":{"type":"string"}}`:                                         typeJSON,
		`{"type":"object"}`:                      typeJSON,
		`{"properties":{"a":{"type":"string"}}}`: typeJSON,
		`{"type":"object","oneOf":[{"type":"string"}],"airbyte_type":"json"}`:          typeJSON,
		`{"type":"object","oneOf":[{"properties":{"a":{}}}]}`:                          typeJSON,
		`{"type":["null","integer"]}`:                                                  typeInt64,
		`{"type":["integer","null","number"]}`:                                         typeFloat64,
		`{"type":["string","integer"]}`:                                                typeString,
		`{"type":["boolean","integer"]}`:                                               typeString,
		`{"type":["null","string"],"format":"date-time"}`:                              typeTimestamp,
		`{"type":["array","object"]}`:                                                  typeJSON,
		`{"type":["array","string"]}`:                                                  typeString,
		`{"type":["null"]}`:                                                            undeclared,
		`{"type":"null"}`:                                                              undeclared,
		`{"oneOf":[{"type":"null"},{"type":"integer"}]}`:                               typeInt64,
		`{"anyOf":[{"type":"integer"},{"type":"number"}]}`:                             typeFloat64,
		`{"anyOf":[{"type":"object"},{"type":"array"}]}`:                               typeJSON,
		`{"oneOf":[{"type":"string"},{"type":"object"}]}`:                              typeString,
		`{"oneOf":[{"type":"string"},{}]}`:                                             undeclared,
		`{"allOf":[{"description":"x"},{"type":"boolean"}]}`:                           typeBool,
		`{"oneOf":[{"$ref":"WellKnownTypes.json#/definitions/Date"},{"type":"null"}]}`: typeTimestamp,
		`{"$ref":"WellKnownTypes.json#/definitions/String"}`:                           typeString,
		`{"$ref":"WellKnownTypes.json#/definitions/BinaryData"}`:                       typeString,
		`{"$ref":"WellKnownTypes.json#/definitions/Boolean"}`:                          typeBool,
		`{"$ref":"WellKnownTypes.json#/definitions/Integer"}`:                          typeInt64,
		`{"$ref":"WellKnownTypes.json#/definitions/Number"}`:                           typeFloat64,
		`{"$ref":"WellKnownTypes.json#/definitions/TimestampWithTimezone"}`:            typeTimestamp,
		`{"$ref":"WellKnownTypes.json#/definitions/TimestampWithoutTimezone"}`:         typeTimestamp,
		`{"$ref":"WellKnownTypes.json#/definitions/TimeWithTimezone"}`:                 typeString,
		`{"$ref":"WellKnownTypes.json#/definitions/TimeWithoutTimezone"}`:              typeString,
		`{"$ref":"WellKnownTypes.json#/definitions/Other"}`:                            undeclared,
		`{"$ref":"#/definitions/id"}`:                                                  typeInt64,
		`{"$ref":"#/definitions/chain"}`:                                               typeInt64,
		`{"$ref":"#/definitions/a~1b"}`:                                                typeBool,
		`{"$ref":"#/definitions/loop"}`:                                                undeclared,
		`{"$ref":"#/nowhere/at/all"}`:                                                  undeclared,
		`{"$ref":"other.json#/definitions/id"}`:                                        undeclared,
		`{}`:                                                                           undeclared,
		`true`:                                                                         undeclared,
		`{"type":5}`:                                                                   undeclared,
		`{"type":"date"}`:                                                              undeclared,
		`{"format":"date-time"}`:                                                       typeTimestamp,
	} {
		schema := json.RawMessage(fmt.Sprintf(`{"type":"object",%s,"properties":{"p":%s}}`, definitions, property))
		var got dataType
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
		want   []field
	}{
		"in order, last of a name":     {typical, nil, []field{{"z", typeString}, {"a", typeFloat64}, {"o", typeJSON}, {"q", typeJSON}}},
		"an object with a key in it":   {typical, [][]string{{"o", "id"}, {"q"}}, []field{{"z", typeString}, {"a", typeFloat64}, {"q", typeJSON}}},
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
