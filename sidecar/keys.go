package sidecar

import (
	"slices"
	"strings"

	"sync-sidecar/sidecar/airbyte"
)

// unnamedColumn is what Bulker calls the column of an empty key (bulkerlib/implementations/flattener.go).
const unnamedColumn = "_unnamed"

// primaryKey returns the paths of a stream's primary key: the configured one, else the one that the source defines.
func primaryKey(stream airbyte.ConfiguredStream) [][]string {
	paths := stream.PrimaryKey
	if len(paths) == 0 {
		paths = stream.Stream.SourceDefinedPrimaryKey
	}
	key := make([][]string, 0, len(paths))
	for _, path := range paths {
		if len(path) > 0 {
			key = append(key, path)
		}
	}
	return key
}

// columnNames are the columns that paths become when Bulker flattens a row: {"a":{"b":1}} is column a_b (bulkerlib/implementations/flattener.go). A
// column named twice counts once.
func columnNames(paths [][]string) []string {
	var names []string
	for _, path := range paths {
		for len(path) > 1 && path[0] == "" {
			path = path[1:] // the flattener puts a separator only after a name
		}
		name := strings.Join(path, "_")
		if name == "" {
			name = unnamedColumn
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}
