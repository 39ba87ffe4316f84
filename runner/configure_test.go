package runner

import (
	"encoding/json"
	"strings"
	"testing"

	"sync-sidecar/sidecar/airbyte"
)

const discovered = `{"streams":[
 {"name":"users","json_schema":{"big":12345678901234567890},"supported_sync_modes":["full_refresh","incremental"],"source_defined_cursor":true,
  "default_cursor_field":["updated_at"],"source_defined_primary_key":[["id"]]},
 {"name":"events","json_schema":{},"supported_sync_modes":["incremental"],"default_cursor_field":["at"]},
 {"name":"nocursor","json_schema":{},"supported_sync_modes":["full_refresh","incremental"]},
 {"name":"nomodes","namespace":"shop","json_schema":{}}]}`

// What no cursor is known of, and what is of no mode that we know.
const odd = `{"streams":[
 {"name":"keyed","json_schema":{},"supported_sync_modes":["incremental"],"source_defined_primary_key":[["id"]]},
 {"name":"keyless","namespace":"shop","json_schema":{},"supported_sync_modes":["incremental"]},
 {"name":"own","json_schema":{},"supported_sync_modes":["incremental"],"source_defined_cursor":true},
 {"name":"future","json_schema":{},"supported_sync_modes":["telepathy"]}]}`

func TestConfigureSaysWhatTheCatalogDoesNotAllow(t *testing.T) {
	for _, selection := range []Selection{{}, {FullRefresh: true}} {
		encoded, notes, err := Configure(json.RawMessage(odd), selection)
		if err != nil {
			t.Fatal(err)
		}
		const want = "keyed incremental append_dedup, shop.keyless incremental append, own incremental append, future full_refresh overwrite"
		if got := modes(t, encoded); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		wanted := []string{`stream "keyed": it can only be read incrementally`, `stream "shop.keyless": it can only be read`,
			`stream "future": it supports only ["telepathy"]`}
		for i, note := range wanted {
			if i >= len(notes) || !strings.HasPrefix(notes[i], note) {
				t.Errorf("notes %q lack %s", notes, note)
			}
		}
		if len(notes) != len(wanted) {
			t.Errorf("%d notes: %q", len(notes), notes)
		}
	}
}

// modes are "<stream> <mode> <destination mode>" each.
func modes(t *testing.T, catalog []byte) string {
	t.Helper()
	configured, err := airbyte.ParseConfiguredCatalog(catalog)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, stream := range configured.Streams {
		all = append(all, stream.Stream.Descriptor().String()+" "+string(stream.SyncMode)+" "+string(stream.DestinationSyncMode))
	}
	return strings.Join(all, ", ")
}

func TestConfigure(t *testing.T) {
	for _, test := range []struct {
		name      string
		selection Selection
		want      string // "<stream> <mode> <destination mode>" each
	}{
		{"all", Selection{},
			"users incremental append_dedup, events incremental append, nocursor full_refresh overwrite, shop.nomodes full_refresh overwrite"},
		{"full refresh where it can", Selection{FullRefresh: true},
			"users full_refresh overwrite, events incremental append, nocursor full_refresh overwrite, shop.nomodes full_refresh overwrite"},
		{"selected, in the order of the catalog", Selection{Streams: []string{"shop.nomodes", "users"}},
			"users incremental append_dedup, shop.nomodes full_refresh overwrite"},
		{"by the name alone", Selection{Streams: []string{"nomodes"}}, "shop.nomodes full_refresh overwrite"},
	} {
		t.Run(test.name, func(t *testing.T) {
			encoded, notes, err := Configure(json.RawMessage(discovered), test.selection)
			if err != nil || len(notes) > 0 {
				t.Fatal(err, notes)
			}
			if got := modes(t, encoded); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
			if strings.Contains(test.want, "users") && !strings.Contains(string(encoded), "12345678901234567890") {
				t.Errorf("the schema was re-encoded: %s", encoded)
			}
			if err := CheckCatalog("made", encoded); err != nil {
				t.Errorf("its own result is refused: %v", err)
			}
		})
	}
}

// What the connector said of a stream reaches its read unchanged: the Python CDK refuses a stream without supported_sync_modes, which may be empty,
// and a later protocol has members that we do not know.
func TestConfigureKeepsStreamsAsSent(t *testing.T) {
	const stream = `{"name":"a","namespace":null,"json_schema":{"x":1.0},"supported_sync_modes":[],"source_defined_cursor":false,"of_tomorrow":{"b":[]}}`
	encoded, _, err := Configure(json.RawMessage(`{"streams":[{"name":"other","json_schema":{}},`+stream+`]}`), Selection{Streams: []string{"a"}})
	const want = `{"streams":[{"sync_mode":"full_refresh","destination_sync_mode":"overwrite","stream":` + stream + `}]}`
	if err != nil || string(encoded) != want {
		t.Errorf("got  %s\nwant %s (%v)", encoded, want, err)
	}
}

// A source may have two tables or sheets of one name. Nobody could tell their rows apart, and the others are worth reading.
func TestConfigureTakesAStreamOnce(t *testing.T) {
	const twice = `{"streams":[{"name":"a","json_schema":{},"supported_sync_modes":["incremental"],"source_defined_cursor":true},
		{"name":"a","json_schema":{}},{"name":"b","json_schema":{}},{"name":"a","json_schema":{}},{"name":"a","namespace":"n","json_schema":{}}]}`
	encoded, notes, err := Configure(json.RawMessage(twice), Selection{})
	if err != nil || modes(t, encoded) != "a incremental append, b full_refresh overwrite, n.a full_refresh overwrite" {
		t.Errorf("%s, %v", encoded, err)
	}
	if len(notes) != 1 || !strings.HasPrefix(notes[0], `stream "a": the connector's catalog has it more than once`) {
		t.Errorf("notes %q", notes)
	}
}

func TestConfigureRefuses(t *testing.T) {
	for _, test := range []struct {
		name, catalog string
		streams       []string
		want          string
	}{
		{"a typing error", discovered, []string{"user"}, `no stream "user"; did you mean "users"`},
		{"nothing alike", discovered, []string{"zzz"}, `it has "users"`},
		{"no streams", `{"streams":[]}`, nil, "discovered no streams"},
		{"a name of none", `{"streams":[]}`, []string{"x"}, "none at all"},
		{"no catalog", `[]`, nil, "read the discovered catalog"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, _, err := Configure(json.RawMessage(test.catalog), Selection{Streams: test.streams})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

func TestFilterConfiguredKeepsStreamsAsTheyAre(t *testing.T) {
	catalog := `{"streams":[{"stream":{"name":"a","x":1.0},"sync_mode":"full_refresh"},{"stream":{"name":"b"},"own":true}]}`
	got, _, err := FilterConfigured(json.RawMessage(catalog), Selection{Streams: []string{"b"}})
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"streams":[{"stream":{"name":"b"},"own":true}]}`; string(got) != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if all, _, err := FilterConfigured(json.RawMessage(catalog), Selection{}); err != nil || string(all) != catalog {
		t.Errorf("without names: %s, %v", all, err)
	}
	if _, _, err := FilterConfigured(json.RawMessage(catalog), Selection{Streams: []string{"c"}}); err == nil {
		t.Error("an unknown stream was accepted")
	}
}
