package local

import (
	"encoding/json"
	"testing"
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
