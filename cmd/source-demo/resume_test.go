package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestResume stops a read after each of its states, as a killed run would, and goes on from that state: what came before the state and what comes
// after it are the whole, each row once.
func TestResume(t *testing.T) {
	for _, test := range []struct{ name, config, mode, cursor string }{
		{"stream", `{"count":30,"records_per_state":4}`, incremental, "updated_at"},
		{"state per row", `{"count":30,"records_per_state":1,"interleave":true}`, incremental, "updated_at"},
		{"id cursor", `{"count":30,"records_per_state":3}`, incremental, "id"},
		{"updates", `{"count":40,"records_per_state":3,"update_every":3}`, incremental, "updated_at"},
		{"global", `{"count":30,"records_per_state":4,"state_type":"GLOBAL","interleave":true}`, incremental, "updated_at"},
		{"legacy", `{"count":30,"records_per_state":4,"state_type":"LEGACY"}`, incremental, "updated_at"},
		{"namespace", `{"count":30,"records_per_state":4,"namespace":"shop"}`, incremental, "updated_at"},
		{"odd states", `{"count":30,"records_per_state":4,"faults":{"odd_states":true}}`, incremental, "updated_at"},
		{"resumable", `{"count":30,"records_per_state":4,"resumable":true}`, fullRefresh, "updated_at"},
	} {
		t.Run(test.name, func(t *testing.T) {
			namespace := ""
			if strings.Contains(test.config, `"namespace"`) {
				namespace = "shop"
			}
			args := []string{"read", "--config", file(t, test.config), "--catalog", catalogFile(t, test.mode, test.cursor, namespace)}
			whole := messages(t, mustRead(t, args...))
			stops := 0
			for n := range whole {
				if whole[n].State == nil {
					continue
				}
				stops++
				before, state := covered(t, whole[:n+1])
				after := messages(t, mustRead(t, append(args, "--state", file(t, state))...))
				sameRows(t, fmt.Sprintf("from state %d, %s", stops, state), append(before, rows(after)...), rows(whole))
			}
			if stops < 3 {
				t.Fatalf("only %d states", stops)
			}
		})
	}
}

func mustRead(t *testing.T, args ...string) string {
	t.Helper()
	got := runInside(t, args...)
	if got.code != 0 {
		t.Fatalf("exit code %d:\n%s%s", got.code, got.stdout, got.stderr)
	}
	return got.stdout
}

// covered is the rows that the states cover, and the state file: what a sidecar would have kept of a run that ended here.
func covered(t *testing.T, seen []received) (rows []string, stateFile string) {
	t.Helper()
	open := map[string][]string{}
	states := map[string]json.RawMessage{}
	for _, m := range seen {
		switch {
		case m.Record != nil:
			open[m.Record.Stream] = append(open[m.Record.Stream], m.Record.Stream+" "+string(m.Record.Data))
		case m.State != nil && m.State.Type == stateStream:
			var of streamState
			if err := json.Unmarshal(m.State.Stream, &of); err != nil {
				t.Fatal(err)
			}
			rows, open[of.Descriptor.Name] = append(rows, open[of.Descriptor.Name]...), nil
			states[of.Descriptor.Name] = json.RawMessage(fmt.Sprintf(`{"type":"STREAM","stream":%s}`, m.State.Stream))
		case m.State != nil:
			for name := range open {
				rows, open[name] = append(rows, open[name]...), nil
			}
			if m.State.Type == stateGlobal {
				states = map[string]json.RawMessage{"": json.RawMessage(fmt.Sprintf(`{"type":"GLOBAL","global":%s}`, m.State.Global))}
			} else {
				stateFile = string(m.State.Data)
			}
		}
	}
	if stateFile != "" {
		return rows, stateFile
	}
	var all []string
	for _, state := range states {
		all = append(all, string(state))
	}
	return rows, "[" + strings.Join(all, ",") + "]"
}

// sameRows compares rows without regard to the order of the streams.
func sameRows(t *testing.T, what string, got, want []string) {
	t.Helper()
	got, want = slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want))
	if !slices.Equal(got, want) {
		t.Fatalf("%s: %d rows, want %d:\n%s\nwant\n%s", what, len(got), len(want), strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestGrowth(t *testing.T) {
	args := []string{"read", "--config", file(t, `{"counts":{"orders":5},"grow":2}`), "--catalog", catalogFile(t, incremental, "id", "", "orders")}
	for _, test := range []struct {
		state string
		rows  int
	}{
		{`[]`, 5},
		{`[{"type":"STREAM","stream":{"stream_descriptor":{"name":"orders"},"stream_state":{"id":3}}}]`, 2},
		{`[{"type":"STREAM","stream":{"stream_descriptor":{"name":"orders"},"stream_state":{"id":5}}}]`, 2},
		{`[{"type":"STREAM","stream":{"stream_descriptor":{"name":"orders"},"stream_state":{"id":6}}}]`, 1},
		{`[{"type":"STREAM","stream":{"stream_descriptor":{"name":"orders"},"stream_state":{"id":7}}}]`, 2},
	} {
		if got := len(rows(messages(t, mustRead(t, append(args, "--state", file(t, test.state))...)))); got != test.rows {
			t.Errorf("from %s: %d rows, want %d", test.state, got, test.rows)
		}
	}
}

// TestStates says which states make a read begin where.
func TestStates(t *testing.T) {
	stream := func(state string) string {
		return `[{"type":"STREAM","stream":{"stream_descriptor":{"name":"orders"},"stream_state":` + state + `}}]`
	}
	for _, test := range []struct {
		name, mode, state string
		rows              int
	}{
		{"nothing", incremental, ``, 10},
		{"null", incremental, `null`, 10},
		{"empty object", incremental, `{}`, 10},
		{"reset", incremental, stream(`null`), 10},
		{"empty state", incremental, stream(`{}`), 10},
		{"BOM", incremental, "\xef\xbb\xbf" + stream(`{"updated_at":"2020-01-01T00:00:05.999Z"}`), 5},
		{"other time zone", incremental, stream(`{"updated_at":"2020-01-01T01:00:05.999+01:00"}`), 5},
		{"before everything", incremental, stream(`{"updated_at":"1970-01-01T00:00:00Z"}`), 10},
		{"future", incremental, stream(`{"updated_at":"9999-12-31T00:00:00Z"}`), 0},
		{"other cursor", incremental, stream(`{"id":3}`), 10},
		{"of a full refresh", incremental, stream(`{"__ab_full_refresh_sync_complete":true}`), 10},
		{"other stream", incremental, `[{"type":"STREAM","stream":{"stream_descriptor":{"name":"x"},"stream_state":{"id":3}}}]`, 10},
		{"finished full refresh", fullRefresh, stream(`{"__ab_full_refresh_sync_complete":true}`), 0},
		{"full refresh without cursor", fullRefresh, stream(`{"__ab_no_cursor_state_message":true}`), 10},
		{"not resumable", fullRefresh, stream(`{"position":4}`), 10},
	} {
		t.Run(test.name, func(t *testing.T) {
			all := messages(t, mustRead(t, "read", "--config", file(t, `{"counts":{"orders":10}}`),
				"--catalog", catalogFile(t, test.mode, "updated_at", "", "orders"), "--state", file(t, test.state)))
			if got := len(rows(all)); got != test.rows {
				t.Errorf("%d rows, want %d", got, test.rows)
			}
			if !slices.ContainsFunc(all, func(m received) bool { return m.State != nil }) {
				t.Error("no state at the end")
			}
			if test.name == "future" && !strings.Contains(all[len(all)-3].raw, "9999-12-31") {
				t.Errorf("the cursor went back: %s", all[len(all)-3].raw)
			}
		})
	}
}
