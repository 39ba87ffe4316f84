package runner

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"sync-sidecar/sidecar/airbyte"
)

// offers is what a connector may discover: streams of every kind.
const offers = `{"streams":[
	{"name":"orders","json_schema":{"properties":{"id":{"type":"integer"},"region":{"type":"string"},"updated_at":{"type":"string"},
		"address":{"type":["null","object"],"properties":{"street":{"type":"string"},"geo":{"type":"object"}}},"tags":{"type":"array"},
		"a.b":{"type":"string"}}},
		"supported_sync_modes":["full_refresh","incremental"]},
	{"name":"users","json_schema":{"properties":{"id":{"type":"integer"},"seen":{"type":"string"}}},
		"supported_sync_modes":["full_refresh","incremental"],
		"source_defined_cursor":true,"default_cursor_field":["seen"],"source_defined_primary_key":[["id"]]},
	{"name":"events","json_schema":{},"supported_sync_modes":["incremental"],"default_cursor_field":["at"]},
	{"name":"kinds","json_schema":{"properties":{"id":{}}},"supported_sync_modes":["full_refresh"]},
	{"name":"user_roles","namespace":"hr","json_schema":{"properties":{"id":{}}},"supported_sync_modes":["full_refresh"]},
	{"name":"hidden","json_schema":{},"supported_sync_modes":["full_refresh","incremental"],"source_defined_cursor":true}]}`

// choose is a selection as the command line reads it.
func choose(t *testing.T, flags string) Selection {
	t.Helper()
	var s Selection
	for flag := range strings.FieldsSeq(flags) {
		name, text, _ := strings.Cut(strings.TrimPrefix(flag, "--"), ":")
		values := strings.Split(text, ",")
		var err error
		switch name {
		case "streams":
			s.Streams = values
		case "sync-mode":
			s.SyncModes, err = ParseChoices(name, values, false, true)
		case "cursor":
			s.Cursors, err = ParseChoices(name, values, false, false)
		case "primary-key":
			s.PrimaryKeys, err = ParseChoices(name, values, true, false)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// described is a configured catalog in short.
func described(t *testing.T, catalog json.RawMessage) string {
	t.Helper()
	parsed, err := airbyte.ParseConfiguredCatalog(catalog)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, s := range parsed.Streams {
		text := fmt.Sprintf("%s %s/%s", s.Stream.Name, s.SyncMode, s.DestinationSyncMode)
		if len(s.CursorField) > 0 {
			text += " by " + strings.Join(s.CursorField, ".")
		}
		if len(s.PrimaryKey) > 0 {
			text += " key " + keyText(s.PrimaryKey)
		}
		all = append(all, text)
	}
	return strings.Join(all, "; ")
}

func TestSelection(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ flags, want string }{
		{"--streams:orders,users", "orders full_refresh/overwrite; users incremental/append_dedup by seen key id"},
		{"--streams:us*", "users incremental/append_dedup by seen key id; user_roles full_refresh/overwrite"},
		{"--streams:hr.*", "user_roles full_refresh/overwrite"},
		{"--streams:k?nds", "kinds full_refresh/overwrite"},
		{"--streams:*s,!x", `--streams: the connector has no stream "!x"`},
		{"--streams:zz*", `--streams: the connector has no stream that fits "zz*"`},
		{"--streams:users --sync-mode:full_refresh", "users full_refresh/overwrite key id"},
		{"--streams:users,kinds --sync-mode:users=full_refresh", "users full_refresh/overwrite key id; kinds full_refresh/overwrite"},
		{"--streams:users,orders --sync-mode:full_refresh,users=incremental",
			"orders full_refresh/overwrite; users incremental/append_dedup by seen key id"},
		{"--streams:users,orders --sync-mode:users=incremental,*=full_refresh",
			"orders full_refresh/overwrite; users incremental/append_dedup by seen key id"},
		{"--streams:orders --cursor:orders=updated_at", "orders incremental/append by updated_at"},
		{"--streams:orders --cursor:orders=updated_at --primary-key:orders=id", "orders incremental/append_dedup by updated_at key id"},
		{"--streams:orders --primary-key:orders=id,region", "orders full_refresh/overwrite key id, region"},
		{"--streams:orders,kinds --primary-key:orders=id,region,kinds=id",
			"orders full_refresh/overwrite key id, region; kinds full_refresh/overwrite key id"},
		{"--streams:orders --primary-key:orders=address.street", "orders full_refresh/overwrite key address.street"},
		{"--streams:orders --primary-key:orders=address.geo.lat", "orders full_refresh/overwrite key address.geo.lat"},
		{"--streams:orders --primary-key:orders=a.b", "orders full_refresh/overwrite key a.b"},
		{"--streams:events --cursor:events=made.at", "events incremental/append by made.at"},
		{"--streams:users --cursor:users=seen", "users incremental/append_dedup by seen key id"},
		{"--streams:hidden --sync-mode:incremental", "hidden incremental/append"},
		{"--streams:users --primary-key:users=seen", "users incremental/append_dedup by seen key seen"},
		{"--streams:kinds --sync-mode:incremental", `--sync-mode incremental: stream "kinds" can only be read as a full refresh`},
		{"--streams:events --sync-mode:events=full_refresh", `--sync-mode events=full_refresh: stream "events" can only be read incrementally`},
		{"--streams:orders --sync-mode:incremental", `(--cursor orders=FIELD); it has a.b, address, id, region, tags, updated_at`},
		{"--streams:kinds --cursor:kinds=id", `--cursor kinds=id: stream "kinds" can only be read as a full refresh`},
		{"--streams:users --cursor:users=id", `the connector itself defines by what it reads stream "users", which is seen`},
		{"--streams:hidden --cursor:hidden=id", `the connector itself defines by what it reads stream "hidden"`},
		{"--streams:orders --cursor:orders=updatd_at", `stream "orders" has no field updatd_at; did you mean updated_at?`},
		{"--streams:orders --cursor:orders=zzzz", `has no field zzzz; it has a.b, address, id`},
		{"--streams:orders --primary-key:orders=tags", `field tags of stream "orders" is array`},
		{"--streams:orders --primary-key:orders=address", `field address of stream "orders" is object`},
		{"--streams:orders --primary-key:orders=address.zip", `stream "orders" has no field address.zip`},
		{"--streams:orders --sync-mode:orders=full_refresh --cursor:orders=id", "full refresh (--sync-mode orders=full_refresh), which has no cursor"},
		{"--streams:kinds --cursor:orders=id", `--cursor orders=id: stream "orders" is not among those that are read`},
		{"--sync-mode:order=incremental", `the connector has no stream "order"; did you mean "orders"`},
		{"--streams:kinds,user_roles --sync-mode:incremental",
			`"kinds" can only be read as a full refresh` + "\n" + `--sync-mode incremental: stream "hr.user_roles"`},
	} {
		catalog, _, err := Configure(json.RawMessage(offers), choose(t, test.flags))
		got := ""
		if err != nil {
			got = err.Error()
		} else {
			got = described(t, catalog)
		}
		if err == nil && got != test.want || err != nil && !strings.Contains(got, test.want) {
			t.Errorf("%s\n got %s\nwant %s", test.flags, got, test.want)
		}
	}
}

func TestSelectionOfAConfiguredCatalog(t *testing.T) {
	t.Parallel()
	const catalog = `{"streams":[{"stream":{"name":"orders","json_schema":{"properties":{"id":{},"at":{}}},
		"supported_sync_modes":["full_refresh","incremental"],"own":1.0},"sync_mode":"full_refresh","destination_sync_mode":"append","generation_id":7},
		{"stream":{"name":"users"},"sync_mode":"full_refresh","destination_sync_mode":"overwrite","own":true}]}`
	got, _, err := FilterConfigured(json.RawMessage(catalog), choose(t, "--cursor:orders=at --primary-key:orders=id"))
	if err != nil {
		t.Fatal(err)
	}
	if want := "orders incremental/append_dedup by at key id; users full_refresh/overwrite"; described(t, got) != want {
		t.Errorf("got %s, want %s", described(t, got), want)
	}
	for _, kept := range []string{`"own":1.0`, `"own":true`, `"generation_id":7`} {
		if !strings.Contains(string(got), kept) {
			t.Errorf("%s is gone: %s", kept, got)
		}
	}
	if _, _, err := FilterConfigured(json.RawMessage(catalog), choose(t, "--sync-mode:users=incremental")); err == nil {
		t.Error("a mode that the stream does not support is accepted")
	}
}

func TestNotesOfASelection(t *testing.T) {
	t.Parallel()
	_, notes, err := Configure(json.RawMessage(offers), choose(t, "--streams:users --primary-key:users=seen"))
	if want := `stream "users": its rows are told apart by seen, and not by the connector's own key id`; err != nil || strings.Join(notes, "|") != want {
		t.Errorf("%q, %v", notes, err)
	}
}

func TestChoicesThatCannotBeRead(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		flag, value  string
		several, all bool
		want         string
	}{
		{"cursor", "updated_at", false, false, "write STREAM=FIELD, as in orders=updated_at"},
		{"cursor", "orders=", false, false, "write STREAM=VALUE"},
		{"cursor", "=x", false, false, "write STREAM=VALUE"},
		{"primary-key", "id", true, false, "write STREAM=FIELD"},
	} {
		_, err := ParseChoices(test.flag, strings.Split(test.value, ","), test.several, test.all)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("--%s %s: %v, want %s", test.flag, test.value, err, test.want)
		}
	}
	modes, err := ParseChoices("sync-mode", []string{"full", "a=b=incremental"}, false, true)
	if err != nil || modes[1].Stream != "a=b" {
		t.Fatalf("%+v, %v", modes, err)
	}
	if err := CheckModes(modes); err == nil || !strings.Contains(err.Error(), "--sync-mode full: write full_refresh or incremental") {
		t.Errorf("%v", err)
	}
}

// names are the streams of a configured catalog.
func names(t *testing.T, catalog json.RawMessage) string {
	t.Helper()
	parsed, err := airbyte.ParseConfiguredCatalog(catalog)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, s := range parsed.Streams {
		all = append(all, s.Stream.Descriptor().String())
	}
	return strings.Join(all, " ")
}
