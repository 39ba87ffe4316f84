package airbyte

import (
	"reflect"
	"testing"
)

func TestParseConfiguredCatalog(t *testing.T) {
	got, err := ParseConfiguredCatalog([]byte(`{"streams":[
		{"stream":{"name":"users","namespace":null,"json_schema":{"type":"object"},"supported_sync_modes":["full_refresh","incremental"],
		  "is_resumable":true,"source_defined_primary_key":[["id"]],"table_name":"t","is_file_based":true},
		  "sync_mode":"incremental","destination_sync_mode":"append_dedup",
		  "cursor_field":["updated_at"],"primary_key":[["id"],["a","b"]],"generation_id":3,"minimum_generation_id":0,"sync_id":null,"include_files":true},
		{"stream":{"name":"","json_schema":{}}},
		{"stream":{"name":"users","namespace":"public","is_file_based":null},"sync_mode":null,"include_files":null}], "future":1}`))
	if err != nil {
		t.Fatal(err)
	}
	resumable, generation, least := true, int64(3), int64(0)
	want := ConfiguredCatalog{Streams: []ConfiguredStream{
		{
			Stream: Stream{
				Name: "users", JSONSchema: []byte(`{"type":"object"}`), SupportedSyncModes: []SyncMode{FullRefresh, Incremental},
				SourceDefinedPrimaryKey: [][]string{{"id"}}, IsResumable: &resumable, IsFileBased: true, TableName: "t",
			},
			SyncMode: Incremental, DestinationSyncMode: AppendDedup, CursorField: []string{"updated_at"}, PrimaryKey: [][]string{{"id"}, {"a", "b"}},
			GenerationID: &generation, MinimumGenerationID: &least, IncludeFiles: true,
		},
		{Stream: Stream{JSONSchema: []byte(`{}`)}, SyncMode: FullRefresh, DestinationSyncMode: Append},
		{Stream: Stream{Name: "users", Namespace: "public"}, SyncMode: FullRefresh, DestinationSyncMode: Append},
	}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}

func TestParseCatalog(t *testing.T) {
	got, err := ParseCatalog([]byte(`{"streams":[
		{"name":"a","json_schema":{},"supported_sync_modes":[]},{"name":"a","namespace":"n","json_schema":{}}]}`))
	if err != nil {
		t.Fatal(err)
	}
	want := Catalog{Streams: []Stream{
		{Name: "a", JSONSchema: []byte(`{}`), SupportedSyncModes: []SyncMode{}}, {Name: "a", Namespace: "n", JSONSchema: []byte(`{}`)},
	}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}

func TestCatalogErrors(t *testing.T) {
	const hint = `: a configured catalog is {"streams":[{"stream":…,"sync_mode":…}]}`
	for _, test := range []struct{ raw, want string }{
		{``, "catalog: line 1, column 1: unexpected end of JSON input"},
		{"{\n \"streams\": [\n{]}", "catalog: line 3, column 2: invalid character ']' looking for beginning of object key string"},
		{`[]`, "catalog: is a JSON array, want an object"},
		{`{}`, "catalog has no streams" + hint},
		{`{"streams":{}}`, "catalog: streams is a JSON object, want an array"},
		{`{"streams":[7]}`, `catalog stream 0: is a JSON number, want an object`},
		{`{"streams":[null]}`, `catalog stream 0: stream is missing (is this a discovered catalog rather than a configured one?)`},
		{`{"streams":[{"name":"a"}]}`, `catalog stream 0: stream is missing (is this a discovered catalog rather than a configured one?)`},
		{`{"streams":[{"stream":{"name":"a"}},{"stream":{}}]}`, `catalog stream 1: stream: name is missing`},
		{
			`{"streams":[{"stream":{"name":"a"},"sync_mode":"INVALID"}]}`,
			`catalog stream 0 ("a"): sync_mode "INVALID" is neither full_refresh nor incremental`,
		},
		{`{"streams":[{"stream":{"name":"a"},"sync_mode":5}]}`, `catalog stream 0 ("a"): sync_mode is a JSON number, want a string`},
		{`{"streams":[{"stream":{"name":"a"},"primary_key":["id"]}]}`, `catalog stream 0 ("a"): primary_key is a JSON string, want an array`},
		{
			`{"streams":[{"stream":{"name":"a"},"generation_id":1.5}]}`,
			`catalog stream 0 ("a"): generation_id is a JSON number 1.5, want a whole number`,
		},
		{
			`{"streams":[{"stream":{"name":"a","supported_sync_modes":{}}}]}`,
			`catalog stream 0 ("a"): stream: supported_sync_modes is a JSON object, want an array`,
		},
		{
			`{"streams":[{"stream":{"name":"a","is_resumable":1}}]}`,
			`catalog stream 0 ("a"): stream: is_resumable is a JSON number, want true or false`,
		},
		{`{"streams":[{"stream":{"name":5}}]}`, `catalog stream 0: stream: name is a JSON number, want a string`},
		{
			`{"streams":[{"stream":{"name":"a"}},{"stream":{"name":"b"}},{"stream":{"name":"a","namespace":""}}]}`,
			`catalog stream 2 ("a"): same namespace and name as stream 0`,
		},
	} {
		if got, err := ParseConfiguredCatalog([]byte(test.raw)); err == nil || err.Error() != test.want {
			t.Errorf("ParseConfiguredCatalog(%s) = %+v, error\n%v, want\n%s", test.raw, got, err, test.want)
		}
	}
}
