package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Deviations from the protocol, by the setting faults.deviation: each breaks one thing that a smoke test looks at.

// deviates says whether the source is to deviate in this way.
func (j *job) deviates(name string) bool { return j.config.Faults.Deviation == name }

// answerOnce writes an answer, or none, or two.
func (j *job) answerOnce(kind string, m message) error {
	if j.deviates(kind + "_missing") {
		return nil
	}
	if j.deviates(kind + "_twice") {
		if err := j.out.message(m); err != nil {
			return err
		}
	}
	return j.out.message(m)
}

// deviantSpec is the spec with one thing wrong in it.
func (j *job) deviantSpec(spec []byte) []byte {
	replace := func(old, replacement string) []byte {
		return []byte(strings.Replace(string(spec), old, replacement, 1))
	}
	switch j.config.Faults.Deviation {
	case "spec_bad_schema":
		return replace(`"type":"integer"`, `"type":"whole number"`)
	case "spec_unmarked_secret":
		return replace(`"airbyte_secret":true`, `"airbyte_secret":false`)
	case "spec_protocol_version":
		return replace(`"protocol_version":"0.18.0"`, `"protocol_version":"2.0.0"`)
	case "spec_lost_value":
		return replace(`"GLOBAL",`, ``)
	}
	return spec
}

// deviate changes the catalog.
func (c *catalog) deviate(name string) {
	products := &c.Streams[1]
	inSchema := func(old, replacement string) {
		products.JSONSchema = json.RawMessage(strings.Replace(string(products.JSONSchema), old, replacement, 1))
	}
	switch name {
	case "catalog_empty":
		c.Streams = []catalogStream{}
	case "catalog_repeated_stream":
		c.Streams = append(c.Streams, c.Streams[0])
	case "catalog_lost_stream":
		c.Streams = slices.Delete(c.Streams, 1, 2)
	case "catalog_no_modes":
		products.SupportedSyncModes = []string{}
	case "catalog_bad_schema":
		inSchema(`"integer"`, `"whole number"`)
	case "catalog_reference":
		inSchema(`{ "type": "integer" }`, `{ "$ref": "#/definitions/id" }`)
		inSchema(`"properties":`, `"definitions": { "id": { "type": "integer" } }, "properties":`)
	case "catalog_key":
		products.SourceDefinedPrimaryKey = [][]string{{"no_such_field"}}
	case "catalog_cursor":
		products.DefaultCursorField = []string{"no_such_field"}
	case "catalog_type":
		inSchema(`"timestamp_with_timezone"`, `"timestamp_with_timezon"`)
	}
}

// declareFaults lets the schemas name the fields that faults add, and allow what they break beside what they are for.
func (f *Faults) declareFaults(schema json.RawMessage) json.RawMessage {
	var fields []string
	for _, one := range []struct {
		asked bool
		field string
	}{
		{f.HugeRow != nil, `"huge": { "type": "string" }`},
		{f.NonFinite != nil, `"odd_number": { "type": ["null", "number"] }, "odd_numbers": { "type": "object" }`},
		{f.InvalidUTF8 != nil, `"odd_bytes": { "type": "string" }`}, {f.NUL != nil, `"odd_nul": { "type": "string" }`},
		{f.LoneSurrogate != nil, `"odd_surrogates": { "type": "string" }`},
	} {
		if one.asked {
			fields = append(fields, one.field)
		}
	}
	text := string(schema)
	for _, field := range fields {
		text = strings.Replace(text, `"properties": {`, fmt.Sprintf(`"properties": { %s,`, field), 1)
	}
	if f.NullKey != nil {
		text = strings.Replace(text, `"id": { "type": "integer" }`, `"id": { "type": ["null", "integer"] }`, 1)
	}
	if f.NullCursor != nil {
		text = strings.Replace(text, `"updated_at": { "type": "string"`, `"updated_at": { "type": ["null", "string"]`, 1)
	}
	return json.RawMessage(text)
}

// breakDebugLines writes debug text into the middle of the next record, as another thread does.
func (j *job) breakDebugLines(run *streamRun) error {
	if !j.deviates("debug_breaks_lines") || j.world.logLevel != "DEBUG" || run.read%50 != 10 {
		return nil
	}
	return run.alterNext(func(line []byte) []byte {
		return append(append(slices.Clone(line[:len(line)/2]), "DEBUG request sent\n"...), line[len(line)/2:]...)
	}, nil)
}

// ahead is how many records the states of state_ahead say too much.
const ahead = 30
