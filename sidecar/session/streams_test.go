package session

import (
	"strings"
	"testing"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
)

// TestRowsWhoseStreamIsCalledOtherwise has connectors that leave the namespace out, or spell it in another way than their catalog. Nothing is dropped
// without a word: one match is taken, with a warning; where several may be meant, all of them fail, and their tables stay.
func TestRowsWhoseStreamIsCalledOtherwise(t *testing.T) {
	t.Parallel()
	record := func(namespace, name string) string {
		return `{"type":"RECORD","record":{"stream":"` + name + `","namespace":` + namespace + `,"data":{"id":1},"emitted_at":1}}`
	}
	complete := func(namespace, name string) string {
		return `{"type":"TRACE","trace":{"type":"STREAM_STATUS","emitted_at":1,"stream_status":{"stream_descriptor":{"name":"` + name + `","namespace":` +
			namespace + `},"status":"COMPLETE"}}}`
	}
	for name, c := range map[string]struct {
		streams []airbyte.StreamDescriptor
		lines   []string
		want    sidecar.Status
		rows    map[string]int64 // that the tables hold; each had 7
		words   []string
	}{
		"another case": {[]airbyte.StreamDescriptor{{Namespace: "PUBLIC", Name: "users"}},
			[]string{record(`"public"`, "users"), record(`"public"`, "users"), complete(`"public"`, "users")}, sidecar.StatusSuccess,
			map[string]int64{"PUBLIC.users": 2}, []string{`"PUBLIC.users"`, `"public.users"`, "taken for the same"}},
		"no namespace": {[]airbyte.StreamDescriptor{{Namespace: "a", Name: "users"}, {Namespace: "a", Name: "items"}},
			[]string{record(`null`, "users"), complete(`null`, "users"), record(`null`, "items"), complete(`null`, "items")}, sidecar.StatusSuccess,
			map[string]int64{"a.users": 1, "a.items": 1}, []string{"taken for the same"}},
		"a namespace where the catalog has none": {[]airbyte.StreamDescriptor{{Name: "users"}},
			[]string{record(`"x"`, "users"), complete(`"x"`, "users")}, sidecar.StatusSuccess, map[string]int64{"users": 1}, []string{"taken for the same"}},
		"statuses without a namespace": {[]airbyte.StreamDescriptor{{Namespace: "a", Name: "users"}},
			[]string{record(`"a"`, "users"), complete(`null`, "users")}, sidecar.StatusSuccess, map[string]int64{"a.users": 1}, nil},
		"no namespace, and two may be meant": {[]airbyte.StreamDescriptor{{Namespace: "a", Name: "users"}, {Namespace: "b", Name: "users"}},
			[]string{record(`null`, "users"), complete(`"a"`, "users"), complete(`"b"`, "users")}, sidecar.StatusFailed,
			map[string]int64{"a.users": 7, "b.users": 7}, []string{"several streams", `"a.users"`, `"b.users"`}},
		"two may be meant, and no statuses come": {[]airbyte.StreamDescriptor{{Namespace: "a", Name: "users"}, {Namespace: "b", Name: "users"}},
			[]string{record(`"A"`, "users")}, sidecar.StatusFailed, map[string]int64{"a.users": 7, "b.users": 7}, []string{"several streams"}},
		"the statuses of two are not told apart": {[]airbyte.StreamDescriptor{{Namespace: "a", Name: "users"}, {Namespace: "b", Name: "users"}},
			[]string{record(`"a"`, "users"), record(`"b"`, "users"), complete(`null`, "users")}, sidecar.StatusFailed,
			map[string]int64{"a.users": 7, "b.users": 7}, []string{"several streams"}},
		"a stream that nobody asked for": {[]airbyte.StreamDescriptor{{Name: "users"}},
			[]string{record(`null`, "other"), record(`null`, "users"), complete(`null`, "users")}, sidecar.StatusSuccess,
			map[string]int64{"users": 1}, []string{`"other"`, "not in the catalog"}},
		"a name in other capitals": {[]airbyte.StreamDescriptor{{Name: "Users"}, {Name: "items"}},
			[]string{record(`null`, "users"), complete(`null`, "Users"), record(`null`, "items"), complete(`null`, "items")}, sidecar.StatusPartial,
			map[string]int64{"Users": 7, "items": 1}, []string{`stream "users" came, which the catalog spells "Users"`}},
		"a name with its namespace in it": {[]airbyte.StreamDescriptor{{Namespace: "a", Name: "users"}},
			[]string{record(`null`, "a.users")}, sidecar.StatusFailed, map[string]int64{"a.users": 7}, []string{`the catalog spells "a.users"`}},
		"a name like those of two": {[]airbyte.StreamDescriptor{{Name: "Users"}, {Name: "USERS"}},
			[]string{record(`null`, "users"), complete(`null`, "Users"), complete(`null`, "USERS")}, sidecar.StatusFailed,
			map[string]int64{"Users": 7, "USERS": 7}, []string{`spells "Users", "USERS"`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			for _, stream := range c.streams {
				r.hold(stream.String(), 7)
				r.config.Streams = append(r.config.Streams, sidecar.StreamConfig{Mode: sidecar.ReplaceWhole,
					Table: sidecar.Table{Name: stream.String(), Stream: stream}})
			}
			report := r.start().say(c.lines...).exit(0).hangUp().end()
			text := report.Cause + strings.Join(report.Warnings, "\n")
			if report.Status != c.want {
				t.Errorf("%s: %s", report.Status, report.Cause)
			}
			for _, word := range c.words {
				if !strings.Contains(text, word) {
					t.Errorf("it does not say %s: %s", word, text)
				}
			}
			for table, want := range c.rows {
				if got := r.table(table); got != want {
					t.Errorf("%s has %d rows, want %d", table, got, want)
				}
			}
		})
	}
}
