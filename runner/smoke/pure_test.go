package smoke

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"sync-sidecar/runner/schema"
	"sync-sidecar/sidecar/airbyte"
)

func TestWhatPostgresCannotStore(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		`"plain"`: false, `"a\u0000b"`: true, `"a\\u0000b"`: false, `"\\\u0000"`: true, `"\ud83e\udeb6"`: false, `"\ud83e"`: true, `"\ud83e\u0041"`: true,
		`"\udeb6"`: true, `"\UD83E"`: false, `"\ud83e\\udeb6"`: true, `"\n\"\t"`: false, `"\`: false, `"\u00`: false, `"\u00e9\ud83e\udeb6\u0000"`: true,
	} {
		if got := unstorable([]byte(text)); got != want {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
}

func TestStatusesFollow(t *testing.T) {
	t.Parallel()
	for words, want := range map[string]string{
		"STARTED RUNNING RUNNING COMPLETE": "", "STARTED COMPLETE": "", "INCOMPLETE": "", "STARTED RUNNING INCOMPLETE": "",
		"STARTED RUNNING COMPLETE COMPLETE": "", "RUNNING COMPLETE": "RUNNING without STARTED", "STARTED RUNNING STARTED": "STARTED after RUNNING",
		"STARTED COMPLETE RUNNING": "RUNNING after COMPLETE", "STARTED COMPLETE INCOMPLETE": "INCOMPLETE after COMPLETE",
	} {
		var got []string
		before := airbyte.StreamStatus("")
		for status := range strings.FieldsSeq(words) {
			if problem := follows(before, airbyte.StreamStatus(status)); problem != "" {
				got = append(got, problem)
			}
			before = airbyte.StreamStatus(status)
		}
		if strings.Join(got, "; ") != want {
			t.Errorf("%s: %q, want %q", words, got, want)
		}
	}
}

func object(t *testing.T, text string) schema.Object {
	t.Helper()
	document, err := schema.Decode([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return schema.Of(document)
}

func TestChangesOfASpec(t *testing.T) {
	t.Parallel()
	const before = `{"required":["a"],"properties":{"a":{"type":"string"},"n":{"type":"integer"},"e":{"enum":["x","y"]},` +
		`"o":{"properties":{"p":{"type":"string"}}}}}`
	for after, want := range map[string]string{
		before: "",
		`{"properties":{"a":{"type":["string","null"]},"n":{"type":"number"},"e":{"enum":["x","y","z"]},` +
			`"o":{"properties":{"p":{}}},"new":{"type":"string"}}}`: "",
		`{"required":["a","new"],"properties":{"a":{"type":"string"},"n":{"type":"integer"},"e":{},"o":{"properties":{"p":{"type":"string"}}},` +
			`"new":{"type":"string"}}}`: "new is required now",
		`{"required":["a","new"],"properties":{"a":{"type":"string"},"n":{"type":"string"},"e":{"enum":["x"]},"o":{"properties":{}},` +
			`"new":{"type":"string","default":"d"}}}`: "e may not be y any more; n is string now, was integer; o.p is gone",
		`{"additionalProperties":false,"properties":{"a":{"type":"string"},"n":{"type":"integer"},` +
			`"o":{"properties":{"p":{"type":"string"}}}}}`: "e is gone, and refused",
	} {
		if got := strings.Join(specChanges(object(t, before), object(t, after), ""), "; "); got != want {
			t.Errorf("%s\n%q, want %q", after, got, want)
		}
	}
}

func TestChangesOfAStream(t *testing.T) {
	t.Parallel()
	stream := func(text string) entry {
		entries, err := entriesOf(json.RawMessage(`{"streams":[` + text + `]}`))
		if err != nil || len(entries) != 1 {
			t.Fatal(err)
		}
		return entries[0]
	}
	before := stream(`{"name":"s","supported_sync_modes":["full_refresh","incremental"],"source_defined_primary_key":[["id"]],
		"default_cursor_field":["at"],"json_schema":{"properties":{"id":{"type":"integer"},"at":{"type":"string"},
		"o":{"properties":{"x":{"type":"number"}}}}}}`)
	for after, want := range map[string]string{
		`{"name":"s","supported_sync_modes":["incremental","full_refresh"],"source_defined_primary_key":[["id"]],"default_cursor_field":["at"],
			"json_schema":{"properties":{"id":{"type":["integer","null"]},"at":{"type":"string"},"o":{"properties":{"x":{"type":"number"}}},"new":{}}}}`: "",
		`{"name":"s","supported_sync_modes":["full_refresh"],"source_defined_primary_key":[["id"],["at"]],"default_cursor_field":["id"],
			"json_schema":{"properties":{"id":{"type":"string"},"o":{"properties":{}}}}}`: "mode incremental is gone; " +
			"the primary key is [[id] [at]] now, was [[id]]; the default cursor is [id] now, was [at]; field at is gone; " +
			"field id is string now, was integer; field o.x is gone",
	} {
		if got := strings.Join(streamChanges(before, stream(after)), "; "); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestBaselinesThatPeopleHave(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][2]bool{
		`{"spec":{"connectionSpecification":{}},"catalog":{"streams":[]}}`: {true, true}, `{"streams":[]}`: {false, true},
		`{"connectionSpecification":{}}`: {true, false},
	} {
		got, err := ParseBaseline([]byte(text))
		if err != nil || (got.Spec != nil) != want[0] || (got.Catalog != nil) != want[1] {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{`{}`, `[]`, `x`} {
		if _, err := ParseBaseline([]byte(text)); err == nil {
			t.Errorf("%s is taken", text)
		}
	}
}

func TestSelection(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		only, skip []string
		steps      string
	}{
		{nil, nil, strings.Join(order(), " ")},
		{[]string{"spec"}, nil, "spec"},
		{[]string{"check.answer"}, nil, "spec check"},
		{[]string{"discover.*"}, nil, "spec check discover"},
		{[]string{"read"}, nil, "spec check discover read"},
		{[]string{"stop"}, nil, "spec check discover read stop"},
		{nil, []string{"again", "resume", "stop", "debug", "bad-catalog", "secrets", "connector"}, "spec check bad-config discover read"},
	} {
		wanted := stepsOf(Settings{Only: test.only, Skip: test.skip})
		got := slices.DeleteFunc(order(), func(step string) bool { return !wanted[step] })
		if strings.Join(got, " ") != test.steps {
			t.Errorf("only %v, skip %v: %v, want %s", test.only, test.skip, got, test.steps)
		}
	}
}

func TestSecretsInOutput(t *testing.T) {
	t.Parallel()
	w := newWatcher([]string{"hunter2", "a-long-password"})
	for line, want := range map[string]bool{
		`{"type":"LOG","log":{"level":"INFO","message":"key=hunter2"}}`:                                           true,
		`Authorization: Bearer hunter2`:                                                                           true,
		`Authorization: Bearer somebody-elses`:                                                                    false,
		`{"type":"RECORD","record":{"stream":"s","data":{"word":"hunter2"}}}`:                                     false,
		`{"type":"RECORD","record":{"stream":"s","data":{"word":"a-long-password"}}}`:                             true,
		`{"type":"CONTROL","control":{"type":"CONNECTOR_CONFIG","connectorConfig":{"config":{"key":"hunter2"}}}}`: false,
		`{"type":"STATE","state":{"type":"STREAM","stream":{"stream_state":{"token":"a-long-password"}}}}`:        true,
		`{"type":"LOG","log":{"level":"INFO","message":"base64 ` + "YS1sb25nLXBhc3N3b3Jk" + `"}}`:                 true,
		`{"type":"LOG","log":{"level":"INFO","message":"nothing"}}`:                                               false,
	} {
		if got := w.sees([]byte(line)); got != want {
			t.Errorf("%s: %v, want %v", line, got, want)
		}
	}
}
