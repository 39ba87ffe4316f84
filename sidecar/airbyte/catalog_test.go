package airbyte_test

import (
	"reflect"
	"testing"

	"sync-sidecar/sidecar/airbyte"
)

func TestKey(t *testing.T) {
	t.Parallel()
	id, nested := []string{"id"}, []string{"a", "b"}
	tests := []struct {
		name                string
		configured, defined [][]string
		want                [][]string
	}{
		{"none", nil, nil, nil},
		{"configured", [][]string{id, nested}, nil, [][]string{id, nested}},
		{"defined by the source", nil, [][]string{nested}, [][]string{nested}},
		{"configured before defined", [][]string{id}, [][]string{nested}, [][]string{id}},
		{"an empty path", [][]string{id, {}}, nil, [][]string{id}},
		{"an empty path first", [][]string{{}, id}, nil, [][]string{id}},
		{"only empty paths", [][]string{{}, {}}, nil, nil},
		{"only empty paths, and one defined", [][]string{{}, nil}, [][]string{{}, id}, [][]string{id}},
		{"repeats", [][]string{id, nested, {"id"}, {"a", "b"}, id}, nil, [][]string{id, nested}},
		{"a path that begins like another", [][]string{nested, {"a"}}, nil, [][]string{nested, {"a"}}},
		{"an empty name is a name", [][]string{{""}, {"", ""}}, nil, [][]string{{""}, {"", ""}}},
	}
	for _, test := range tests {
		stream := airbyte.ConfiguredStream{PrimaryKey: test.configured, Stream: airbyte.Stream{SourceDefinedPrimaryKey: test.defined}}
		if got := stream.Key(); !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: key is %v, want %v", test.name, got, test.want)
		}
	}
}
