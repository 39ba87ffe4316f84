package skeleton_test

import (
	"encoding/json"
	"strings"
	"testing"

	"sync-sidecar/runner"
	"sync-sidecar/runner/skeleton"
)

// spec has what real ones have: orders, secrets, alternatives, nested objects, examples, markup, odd names.
const spec = `{"connectionSpecification":{"title":"Shop","type":"object","required":["host","auth","start","on"],"properties":{
	"page":{"type":"integer","default":100,"description":"Rows of a page. See <a href=\"https://example.com\">the manual</a>."},
	"host":{"title":"Host","type":"string","order":0,"examples":["db.example.com"]},
	"start":{"type":"string","format":"date-time","order":2},
	"on":{"type":["null","boolean"]},
	"odd key: x":{"type":"string","enum":["a","b"]},
	"tags":{"type":"array","items":{"type":"string"}},
	"tunnel":{"type":"object","properties":{"port":{"type":"integer","default":22}}},
	"auth":{"title":"Authentication","order":1,"oneOf":[
		{"title":"Token","type":"object","required":["kind","token"],"properties":{"kind":{"const":"token","order":0},
			"token":{"type":"string","airbyte_secret":true,"examples":["never-shown"]}}},
		{"title":"Password","type":"object","required":["kind"],"properties":{"kind":{"const":"password"}}}]}}}}`

func TestYAML(t *testing.T) {
	t.Parallel()
	got, err := skeleton.YAML([]byte(spec))
	if err != nil {
		t.Fatal(err)
	}
	want := `# Shop

# Host
# (string, required, for example "db.example.com")
host: "db.example.com"

# Authentication
# (required, one of: Token | Password; this is the first)
auth:
  kind: "token"

  # (string, required, secret: ${TOKEN} is taken from the environment)
  token: "${TOKEN}"

# (string, required, date-time)
start: ""  # fill in

# (boolean, required)
"on": false

# (string, one of "a", "b")
# "odd key: x": "a"

# Rows of a page. See the manual.
# (integer, preset 100)
page: 100

# (array)
# tags: []

# (object)
# tunnel:
#   # (integer, preset 22)
#   port: 22
`
	if string(got) != want {
		t.Errorf("the skeleton is\n%s\nwant\n%s", got, want)
	}
	// It can be read as --config, as it is and with everything that is commented out.
	document, err := runner.FromYAML("skeleton.yaml", got)
	want = `{"auth":{"kind":"token","token":"${TOKEN}"},"host":"db.example.com","on":false,"page":100,"start":""}`
	if err != nil || string(document) != want {
		t.Errorf("it is read as %s (%v), want %s", document, err, want)
	}
}

func TestJSON(t *testing.T) {
	t.Parallel()
	got, err := skeleton.JSON([]byte(spec))
	if err != nil || !json.Valid(got) {
		t.Fatalf("%s, %v", got, err)
	}
	for _, want := range []string{`"token": "${TOKEN}"`, `"host": "db.example.com"`, `"page": 100`, `"start": ""`} {
		if !strings.Contains(string(got), want) {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
	if strings.Contains(string(got), "tags") {
		t.Errorf("what is not required is in\n%s", got)
	}
}

func TestOddSpecs(t *testing.T) {
	t.Parallel()
	for document, want := range map[string]string{
		`{`:                              "read the connector's spec",
		`{}`:                             "no connectionSpecification",
		`{"connectionSpecification":[]}`: "read the connector's spec",
	} {
		if _, err := skeleton.YAML([]byte(document)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want an error with %q", document, err, want)
		}
	}
	got, err := skeleton.YAML([]byte(`{"connectionSpecification":{"properties":{}}}`))
	if err != nil || string(got) != "{}\n" {
		t.Errorf("of a connector without settings: %q, %v", got, err)
	}
	for odd, want := range map[string]string{
		`{"connectionSpecification":{"properties":{"a":{"properties":3,"enum":"x","type":7,"oneOf":[1]},"b":true}}}`: `{"z":1}`,
		`{"connectionSpecification":{"required":"a","properties":{"a\nb":{"title":"x\n# y: z","default":"a\nb"}}}}`:  `{"a\nb":"a\nb","z":1}`,
	} {
		got, err := skeleton.YAML([]byte(odd))
		if err != nil {
			t.Fatal(err)
		}
		// Nothing else is set, whatever its texts hold.
		if document, err := runner.FromYAML("x", append(got, "z: 1\n"...)); err != nil || string(document) != want {
			t.Errorf("%s\nis read as %s (%v)", got, document, err)
		}
	}
}
