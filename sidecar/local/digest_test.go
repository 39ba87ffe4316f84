package local

import (
	"encoding/json"
	"testing"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
)

func TestDigestKnowsAStateInAnySpelling(t *testing.T) {
	t.Parallel()
	tests := []struct {
		a, b string
		same bool
	}{
		{`{"a":1,"b":[1,2]}`, "{ \"b\" : [1, 2],\n\"a\": 1 }", true},
		{`{"a":1e2}`, `{"a":100}`, true}, // Postgres' jsonb writes numbers without an exponent
		{`{"a":1.50}`, `{"a":1.5}`, true},
		{`{"a":100.0}`, `{"a":1.0E+2}`, true},
		{`{"a":-0}`, `{"a":0.0e5}`, true},
		{`{"a":0.001}`, `{"a":1e-3}`, true},
		{`{"a":9007199254740993}`, `{"a":9007199254740992}`, false}, // not told apart by a float64
		{`{"a":1700000000.123456789}`, `{"a":1700000000.123456788}`, false},
		{`{"a":1e999999999999}`, `{"a":1e999999999998}`, false},
		{`{"a":1}`, `{"a":"1"}`, false},
		{`{"a":1}`, `{"a":-1}`, false},
		{`{"a":10}`, `{"a":100}`, false},
		{`{"a":"n1e0"}`, `{"a":1}`, false},
		{`{"a":1,"a":2}`, `{"a":2}`, true}, // jsonb keeps the last
		{`{"a":"\u00e9"}`, `{"a":"é"}`, true},
		{`{"a":null}`, `{}`, false},
		{`null`, ``, true},
		{`{}`, ``, false},
	}
	for _, test := range tests {
		a, err := digest(json.RawMessage(test.a))
		must(t, err)
		b, err := digest(json.RawMessage(test.b))
		must(t, err)
		if (a == b) != test.same {
			t.Errorf("digests of %s and %s: same is %v", test.a, test.b, a == b)
		}
	}
	_, err := digest(json.RawMessage(`{"a":`))
	mustFail(t, err, "not JSON")
}

// TestDigestOfAStreamInAGlobalState: it is that of the list of both parts, however often what is shared is hashed.
func TestDigestOfAStreamInAGlobalState(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ shared, users, items string }{
		{`{"lsn":5.0,"a":"<&>"}`, `{"n":1}`, `null`}, {`null`, ` [1, 2]`, `"x"`}, {``, `{}`, ``},
	} {
		text := `{"stream_states":[{"stream_descriptor":{"name":"users"},"stream_state":` + test.users + `}`
		if test.items != "" {
			text += `,{"stream_descriptor":{"name":"items","namespace":null},"stream_state":` + test.items + `}`
		}
		text += `]`
		if test.shared != "" {
			text += `,"shared_state":` + test.shared
		}
		sums, err := newDigests(sidecar.SavedState{Key: sidecar.GlobalStateKey, State: json.RawMessage(text + `}`)})
		must(t, err)
		for name, own := range map[string]string{"users": test.users, "items": test.items, "nobody": ""} {
			parts := []string{test.shared, own}
			for i := range parts {
				if parts[i] == "" {
					parts[i] = "null"
				}
			}
			want, err := digest(json.RawMessage("[" + parts[0] + "," + parts[1] + "]"))
			must(t, err)
			for range 2 {
				got, err := sums.of(airbyte.StreamDescriptor{Name: name})
				must(t, err)
				if got != want {
					t.Errorf("digest of %s in %s is %s, want %s", name, text, got, want)
				}
			}
		}
	}
}
