package canonical

import "testing"

// TestSameMeaning: what Postgres' jsonb makes of a text has its spelling, and nothing else has.
func TestSameMeaning(t *testing.T) {
	t.Parallel()
	for _, pair := range []struct {
		a, b string
		same bool
	}{
		{``, `null`, true},
		{` {"b": 1, "a": [1.0]}`, `{"a":[1],"b":1}`, true},
		{`{"a":1,"a":2}`, `{"a":2}`, true},
		{`1e2`, `100`, true},
		{`-0.10`, `-1e-1`, true},
		{`9007199254740993`, `9007199254740992`, false},
		{`1e99999999999`, `1e99999999998`, false},
		{`"1"`, `1`, false},
		{`"\u00e9"`, `"é"`, true},
		{`[]`, `{}`, false},
		{`false`, `null`, false},
	} {
		a, err := JSON([]byte(pair.a))
		b, err2 := JSON([]byte(pair.b))
		if err != nil || err2 != nil || (string(a) == string(b)) != pair.same {
			t.Errorf("%s is %s, %s is %s (%v, %v)", pair.a, a, pair.b, b, err, err2)
		}
	}
	if _, err := JSON([]byte(`{"a"`)); err == nil {
		t.Error("half an object has a spelling")
	}
}
