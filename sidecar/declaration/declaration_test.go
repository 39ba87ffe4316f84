package declaration

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
	const undeclared = Type(0)
	for property, want := range map[string]Type{
		`{"type":"string"}`:                              String,
		`{"type":"boolean"}`:                             Boolean,
		`{"type":"integer"}`:                             Integer,
		`{"type":"number"}`:                              Number,
		`{"type":"number","airbyte_type":"integer"}`:     Integer,
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
		`{"type":["null","integer"]}`:                                                  Integer,
		`{"type":["integer","null","number"]}`:                                         Number,
		`{"type":["string","integer"]}`:                                                String,
		`{"type":["boolean","integer"]}`:                                               String,
		`{"type":["null","string"],"format":"date-time"}`:                              Timestamp,
		`{"type":["array","object"]}`:                                                  JSON,
		`{"type":["array","string"]}`:                                                  String,
		`{"type":["null"]}`:                                                            undeclared,
		`{"type":"null"}`:                                                              undeclared,
		`{"oneOf":[{"type":"null"},{"type":"integer"}]}`:                               Integer,
		`{"anyOf":[{"type":"integer"},{"type":"number"}]}`:                             Number,
		`{"anyOf":[{"type":"object"},{"type":"array"}]}`:                               JSON,
		`{"oneOf":[{"type":"string"},{"type":"object"}]}`:                              String,
		`{"oneOf":[{"type":"string"},{}]}`:                                             undeclared,
		`{"allOf":[{"description":"x"},{"type":"boolean"}]}`:                           Boolean,
		`{"oneOf":[{"$ref":"WellKnownTypes.json#/definitions/Date"},{"type":"null"}]}`: Timestamp,
		`{"$ref":"WellKnownTypes.json#/definitions/String"}`:                           String,
		`{"$ref":"WellKnownTypes.json#/definitions/BinaryData"}`:                       String,
		`{"$ref":"WellKnownTypes.json#/definitions/Boolean"}`:                          Boolean,
		`{"$ref":"WellKnownTypes.json#/definitions/Integer"}`:                          Integer,
		`{"$ref":"WellKnownTypes.json#/definitions/Number"}`:                           Number,
		`{"$ref":"WellKnownTypes.json#/definitions/TimestampWithTimezone"}`:            Timestamp,
		`{"$ref":"WellKnownTypes.json#/definitions/TimestampWithoutTimezone"}`:         Timestamp,
		`{"$ref":"WellKnownTypes.json#/definitions/TimeWithTimezone"}`:                 String,
		`{"$ref":"WellKnownTypes.json#/definitions/TimeWithoutTimezone"}`:              String,
		`{"$ref":"WellKnownTypes.json#/definitions/Other"}`:                            undeclared,
		`{"$ref":"#/definitions/id"}`:                                                  Integer,
		`{"$ref":"#/definitions/chain"}`:                                               Integer,
		`{"$ref":"#/definitions/a~1b"}`:                                                Boolean,
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
		var got Type
		if fields := Fields(schema, nil); len(fields) == 1 {
			got = fields[0].Type
		}
		if got != want {
			t.Errorf("%s: type %d, want %d", property, got, want)
		}
	}
}

func TestFields(t *testing.T) {
	t.Parallel()
	const typical = `{"type":"object","properties":{"z":{"type":"string"},"a":{"type":"integer"},"o":{"type":"object"},"":{"type":"string"},
		"a":{"type":"number"},"q":{"type":"object"}}}`
	for name, c := range map[string]struct {
		schema string
		key    [][]string
		want   []Field
	}{
		"in order, last of a name":     {typical, nil, []Field{{"z", String}, {"a", Number}, {"o", JSON}, {"q", JSON}}},
		"an object with a key in it":   {typical, [][]string{{"o", "id"}, {"q"}}, []Field{{"z", String}, {"a", Number}, {"q", JSON}}},
		"no schema":                    {``, nil, nil},
		"null":                         {`null`, nil, nil},
		"not an object":                {`[1]`, nil, nil},
		"properties are not an object": {`{"properties":[]}`, nil, nil},
		"a member of the wrong type":   {`{"$ref":7,"properties":{"a":{"type":"string"}}}`, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := Fields(json.RawMessage(c.schema), c.key); !slices.Equal(got, c.want) {
				t.Errorf("fields %v, want %v", got, c.want)
			}
		})
	}
}
