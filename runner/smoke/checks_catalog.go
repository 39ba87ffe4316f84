package smoke

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"sync-sidecar/runner/schema"
	"sync-sidecar/sidecar/airbyte"
)

func discoverChecks() []check {
	return []check{
		exitCheck(stepDiscover),
		{"discover.answer", "`discover` answers with exactly one CATALOG", "platforms take the first and may differ about the rest",
			"print one CATALOG message", []string{stepDiscover},
			on(stepDiscover, func(e *Evidence) finding { return answered(e, "CATALOG", len(e.Catalogs)) })},
	}
}

func catalogChecks() []check {
	discover := []string{stepDiscover}
	return []check{
		{"discover.streams", "the catalog has streams, each with a name", "there is nothing to sync otherwise",
			"are the rights of the account enough to list them?", discover, withCatalog(catalogStreams)},
		{"discover.unique", "no two streams have the same namespace and name", "one of them cannot be told from the other, and is lost",
			"give streams namespaces, or other names", discover, withCatalog(catalogUnique)},
		{"discover.modes", "each stream names its sync modes, and the protocol knows them", "a stream without a mode can only be guessed at",
			"set supported_sync_modes to full_refresh, incremental, or both", discover, withCatalog(catalogModes)},
		{"discover.schema", "each json_schema is a JSON schema of draft 7, of an object", "tables are made of it",
			"correct the schema at the place that is named", discover, withCatalog(catalogSchemas)},
		{"discover.keywords", "schemas of streams are plain: no $ref, no allOf, no not", "destinations do not resolve them, and make text columns of them",
			"write the types out", discover, withCatalog(catalogKeywords)},
		{"discover.types", "each airbyte_type is one that the protocol knows", "destinations take an unknown one for text",
			"use one of well_known_types.yaml, with the JSON type that belongs to it", discover, withCatalog(catalogTypes)},
		{"discover.key", "the fields of each primary key are in the schema, and no objects or lists", "rows are merged by their values",
			"correct source_defined_primary_key, or the schema", discover, withCatalog(catalogKeys)},
		{"discover.cursor", "the field of each default cursor is in the schema", "an incremental sync asks for what is newer than its value",
			"correct default_cursor_field, or the schema", discover, withCatalog(catalogCursors)},
	}
}

// entry is a stream of a discovered catalog, with its schema decoded.
type entry struct {
	airbyte.Stream
	schema schema.Object
}

// withCatalog judges the discovered streams, if there is a catalog.
func withCatalog(judge func([]entry) finding) func(*scenario) finding {
	return func(s *scenario) finding {
		raw := s.catalog()
		if raw == nil {
			if why := s.why[stepDiscover]; why != "" {
				return skip(why)
			}
			return skip("there is no catalog")
		}
		entries, err := entriesOf(raw)
		if err != nil {
			return skip("the catalog cannot be read")
		}
		return judge(entries)
	}
}

func entriesOf(raw json.RawMessage) ([]entry, error) {
	var catalog airbyte.Catalog
	if err := json.Unmarshal(raw, &catalog); err != nil {
		return nil, err
	}
	entries := make([]entry, len(catalog.Streams))
	for i, stream := range catalog.Streams {
		entries[i].Stream = stream
		if document, err := schema.Decode(stream.JSONSchema); err == nil {
			entries[i].schema = schema.Of(document)
		}
	}
	return entries, nil
}

// each gathers what is wrong, stream by stream.
func each(entries []entry, status Status, of func(entry) []string) finding {
	var all []string
	for _, one := range entries {
		for _, text := range of(one) {
			all = append(all, fmt.Sprintf("stream %q: %s", one.Descriptor(), text))
		}
	}
	return faulty(status, few(all), fmt.Sprintf("%d streams", len(entries)))
}

func catalogStreams(entries []entry) finding {
	if len(entries) == 0 {
		return fail("it has no streams")
	}
	for i, one := range entries {
		if one.Name == "" {
			return fail(fmt.Sprintf("stream %d has no name", i))
		}
	}
	return pass(fmt.Sprintf("%d streams", len(entries)))
}

func catalogUnique(entries []entry) finding {
	count := map[string]int{}
	for _, one := range entries {
		count[one.Descriptor().String()]++
	}
	var twice []string
	for _, name := range names(count) {
		if count[name] > 1 {
			twice = append(twice, fmt.Sprintf("stream %q is there %d times", name, count[name]))
		}
	}
	return faulty(Fail, few(twice))
}

func catalogModes(entries []entry) finding {
	return each(entries, Fail, func(one entry) []string {
		if len(one.SupportedSyncModes) == 0 {
			return []string{"no sync mode"}
		}
		var unknown []string
		for _, mode := range one.SupportedSyncModes {
			if mode != airbyte.FullRefresh && mode != airbyte.Incremental {
				unknown = append(unknown, fmt.Sprintf("sync mode %q", mode))
			}
		}
		return unknown
	})
}

func catalogSchemas(entries []entry) finding {
	return each(entries, Fail, func(one entry) []string {
		if one.schema == nil {
			return []string{"json_schema is missing, or no object"}
		}
		if _, err := schema.Compile(one.JSONSchema); err != nil {
			return []string{err.Error()}
		}
		if types := one.schema.Types(); len(types) > 0 && !slices.Contains(types, "object") {
			return []string{"its type is " + strings.Join(types, " or ") + ", want object"}
		}
		return nil
	})
}

func catalogKeywords(entries []entry) finding {
	return each(entries, Warn, func(one entry) []string {
		var found []string
		one.schema.Walk(func(path string, at schema.Object) {
			for _, keyword := range []string{"$ref", "allOf", "not"} {
				if _, used := at[keyword]; used {
					found = append(found, path+": "+keyword)
				}
			}
		})
		return found
	})
}

// airbyteTypes are those of the protocol ("Data Types in Records"), and those that older connectors use.
func airbyteTypes() []string {
	return []string{"timestamp_with_timezone", "timestamp_without_timezone", "time_with_timezone", "time_without_timezone", "integer", "big_integer",
		"big_number", "binary", "date"}
}

func catalogTypes(entries []entry) finding {
	return each(entries, Warn, func(one entry) []string {
		var found []string
		one.schema.Walk(func(path string, at schema.Object) {
			name, given := at["airbyte_type"]
			if text, is := name.(string); given && (!is || !slices.Contains(airbyteTypes(), text)) {
				found = append(found, fmt.Sprintf("%s: airbyte_type %v", path, name))
			}
		})
		return found
	})
}

func catalogKeys(entries []entry) finding {
	return each(entries, Fail, func(one entry) []string {
		var wrong []string
		for _, path := range one.SourceDefinedPrimaryKey {
			name := strings.Join(path, ".")
			if len(one.schema.Properties()) == 0 {
				continue
			}
			field := one.schema.At(path)
			types := field.Types()
			switch {
			case field == nil:
				wrong = append(wrong, "key "+name+" is not in the schema")
			case slices.Contains(types, "object") || slices.Contains(types, "array"):
				wrong = append(wrong, "key "+name+" is "+strings.Join(types, " or "))
			}
		}
		return wrong
	})
}

func catalogCursors(entries []entry) finding {
	return each(entries, Fail, func(one entry) []string {
		path := one.DefaultCursorField
		if len(path) == 0 || len(one.schema.Properties()) == 0 || one.schema.At(path) != nil {
			return nil
		}
		return []string{"cursor " + strings.Join(path, ".") + " is not in the schema"}
	})
}
