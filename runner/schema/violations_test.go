package schema

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// credentials has the forms that Airbyte's connectors have: alternatives that a constant tells apart, as the CDK's pydantic models write it (const,
// enum and default), by reference, hidden, with keywords that only forms know (airbyte-python-cdk, cli/source_declarative_manifest and its users).
const credentials = `{"$schema":"http://json-schema.org/draft-07/schema#","type":"object","title":"Spec","required":["start_date","credentials"],
	"additionalProperties":true,"groups":[{"id":"auth"}],
	"properties":{
		"start_date":{"type":"string","format":"date-time","pattern":"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$","order":1,
			"examples":["2020-01-01T00:00:00Z"],"pattern_descriptor":"YYYY-MM-DDTHH:mm:ssZ"},
		"count":{"type":"integer","minimum":1,"maximum":10,"default":5,"order":2},
		"region":{"type":"string","enum":["us","eu"],"default":"us"},
		"word":{"type":"string","pattern":"^(?!x).*\\Z"},
		"tags":{"type":"array","items":{"type":"string"},"maxItems":2},
		"hosts":{"type":"array","items":{"type":"object","required":["port"],"properties":{"port":{"type":"integer"}}}},
		"flag":{"type":"boolean","airbyte_hidden":true},
		"note":{"anyOf":[{"type":"string"},{"type":"null"}]},
		"credentials":{"type":"object","discriminator":{"propertyName":"auth_type"},"oneOf":[
			{"type":"object","title":"OAuth","required":["auth_type","client_id","client_secret"],"properties":{
				"auth_type":{"type":"string","const":"oauth2.0","enum":["oauth2.0"],"default":"oauth2.0","order":0},
				"client_id":{"type":"string","airbyte_secret":true},"client_secret":{"type":"string","airbyte_secret":true}}},
			{"$ref":"#/definitions/token"}]},
		"storage":{"type":"object","oneOf":[
			{"title":"Local","required":["path"],"properties":{"path":{"type":"string"}}},
			{"title":"S3","required":["bucket"],"properties":{"bucket":{"type":"string"}}}]}
	},
	"definitions":{"token":{"type":"object","title":"Token","required":["auth_type","token"],"properties":{
		"auth_type":{"type":"string","const":"token"},"token":{"type":"string","airbyte_secret":true},"expires":{"type":"integer"}}}}}`

// dated begins a configuration.
const dated = `{"start_date":"2020-01-01T00:00:00Z",`

// fine is what fits it, and has to be in every case below that is about something else.
const fine = `"start_date":"2020-01-01T00:00:00Z","credentials":{"auth_type":"token","token":"SECRET"}`

func violations(t *testing.T, schema, config string) []Violation {
	t.Helper()
	compiled, err := CompileLoosely(json.RawMessage(schema))
	if err != nil {
		t.Fatal(err)
	}
	decoded, err := Decode([]byte(config))
	if err != nil {
		t.Fatal(err)
	}
	return compiled.Violations(decoded)
}

func TestViolationsOfARealisticSpec(t *testing.T) {
	t.Parallel()
	for config, want := range map[string]string{
		`{` + fine + `}`: "",
		`{}`:             "credentials is missing, want object! start_date is missing, want string!",
		`{"credentials":{"auth_type":"token","token":"SECRET"}}`:   "start_date is missing, want string!",
		`{` + fine + `,"count":"5"}`:                               "count is string, want integer!",
		`{` + fine + `,"count":5.0}`:                               "",
		`{` + fine + `,"count":true}`:                              "count is boolean, want integer!",
		`{` + fine + `,"count":null}`:                              "count is null, want integer: give it a value, or leave it out!",
		`{` + fine + `,"count":99}`:                                "count is more than 10",
		`{` + fine + `,"count":0}`:                                 "count is less than 1",
		`{` + fine + `,"region":"SECRET"}`:                         `region is none of "us", "eu"!`,
		`{` + fine + `,"word":"x"}`:                                "", // Go cannot read the pattern
		`{` + fine + `,"tags":["a","b","c"]}`:                      "tags has 3 items, want 2 at most",
		`{` + fine + `,"tags":["a",1]}`:                            "tags[1] is number, want string!",
		`{` + fine + `,"hosts":[{"port":1},{},{"port":"SECRET"}]}`: "hosts[1].port is missing, want integer! hosts[2].port is string, want integer!",
		`{` + fine + `,"note":null}`:                               "",
		`{` + fine + `,"note":5}`:                                  "note is number, want null or string!",
		`{` + fine + `,"flag":"SECRET"}`:                           "flag is string, want boolean!",
		`{` + fine + `,"anything":{"else":1}}`:                     "",
		`{` + fine + `,"_limit":5}`:                                "",
		`{` + fine + `,"Region":"eu"}`:                             "Region is no setting of the spec: is region meant?",
		`{` + fine + `,"regoin":"eu"}`:                             "regoin is no setting of the spec: is region meant?",
		`{"startDate":"2020-01-01T00:00:00Z","credentials":{"auth_type":"token","token":"SECRET"}}`: "start_date is missing, want string! " +
			"startDate is no setting of the spec: is start_date meant?",
		`{"start_date":"SECRET","credentials":{"auth_type":"token","token":"SECRET"}}`: "start_date does not look like a date-time",
		`{"start_date":"2020-01-01 00:00:00","credentials":{"auth_type":"token","token":"SECRET"}}`: "start_date does not match the pattern " +
			"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$",
		// The alternative that was meant.
		dated + `"credentials":{"auth_type":"oauth2.0","client_id":5}}`: "credentials.client_id is number, want string! " +
			"credentials.client_secret is missing, want string!",
		dated + `"credentials":{"auth_type":"token"}}`:                                "credentials.token is missing, want string!",
		dated + `"credentials":{"auth_type":"token","token":"a","expires":"SECRET"}}`: "credentials.expires is string, want integer!",
		dated + `"credentials":{"auth_type":"SECRET","token":"a"}}`:                   `credentials.auth_type is none of "oauth2.0", "token"!`,
		dated + `"credentials":{"token":"a"}}`:                                        `credentials.auth_type is missing, want one of "oauth2.0", "token"!`,
		dated + `"credentials":"SECRET"}`:                                             "credentials is string, want object!",
		dated + `"credentials":{"auth_type":"token","token":"a","tokn":1}}`:           "",
		dated + `"credentials":{"auth_type":"token","token":"a","expirs":1}}`: "credentials.expirs is no setting of the spec: " +
			"is expires meant?",
		// Nothing tells which one was meant: the one that fits best.
		`{` + fine + `,"storage":{"bucket":5}}`:   "storage.bucket is number, want string!",
		`{` + fine + `,"storage":{"bucket":"a"}}`: "",
		`{` + fine + `,"storage":{"buckt":"a"}}`: `storage fits none of the alternatives: "Local" (path is missing, want string), ` +
			`"S3" (bucket is missing, want string)! storage.buckt is no setting of the spec: is bucket meant?`,
		`{` + fine + `,"storage":{"bucket":"a","path":"b"}}`: `storage fits several alternatives of the spec, want one: "Local" and "S3"!`,
		`[]`: "it is array, want object!",
	} {
		var got []string
		for _, violation := range violations(t, credentials, config) {
			text := violation.String()
			if violation.Refused {
				text += "!"
			}
			got = append(got, text)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s\n got %s\nwant %s", config, strings.Join(got, " "), want)
		}
		if strings.Contains(strings.Join(got, " "), "SECRET") {
			t.Errorf("%s: a value is told", config)
		}
	}
}

// What people write into specs that draft 7 does not allow costs that keyword, and nothing else.
func TestBrokenSpecsAreReadLoosely(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ schema, ignored, config, want string }{
		{`{"properties":{"a":{"type":"integer","examples":"1"}}}`, "properties.a.examples", `{"a":"x"}`, "a is string, want integer"},
		{`{"properties":{"a":{"type":"strng"}},"required":["b"]}`, "properties.a.type", `{"a":1}`, "b is missing"},
		{`{"properties":{"a":{"required":true,"type":"string"}}}`, "properties.a.required", `{"a":1}`, "a is number, want string"},
		{`{"properties":{"a":{"title":5,"description":null,"type":"string"}}}`, "properties.a.description properties.a.title", `{"a":1}`,
			"a is number, want string"},
		{`{"properties":{"a":"text","b":{"type":"string"}}}`, "properties.a", `{"b":1}`, "b is number, want string"},
		{`{"properties":{"a":{"oneOf":[]},"b":{"type":"string"}}}`, "properties.a.oneOf", `{"a":1,"b":1}`, "b is number, want string"},
		{`{"properties":{"a":{"enum":[],"minimum":"0","type":"number"}}}`, "properties.a.minimum", `{"a":"x"}`, "a is string, want number"},
		{`{"required":["a",5],"properties":{"examples":{"type":"string"}}}`, "required", `{"examples":1}`, "examples is number, want string"},
		{`{"$schema":"http://json-schema.org/draft-04/schema","id":"x","properties":{"a":{"type":"string","optional":true}}}`, "", `{"a":1}`,
			"a is number, want string"},
	} {
		compiled, err := CompileLoosely(json.RawMessage(test.schema))
		if err != nil {
			t.Errorf("%s: %v", test.schema, err)
			continue
		}
		ignored := slices.Sorted(slices.Values(compiled.Ignored()))
		if !strings.Contains(strings.Join(ignored, " "), test.ignored) || test.ignored == "" && len(ignored) > 0 {
			t.Errorf("%s: ignored %q, want %s", test.schema, ignored, test.ignored)
		}
		decoded, err := Decode([]byte(test.config))
		if err != nil {
			t.Fatal(err)
		}
		found := compiled.Violations(decoded)
		if len(found) != 1 || found[0].String() != test.want {
			t.Errorf("%s: %v, want %s", test.schema, found, test.want)
		}
	}
	for _, broken := range []string{``, `[]`, `"x"`, `{"$ref":"#/nowhere"}`, `{"properties":{"a":{"$ref":"https://example.com/a.json"}}}`} {
		if _, err := CompileLoosely(json.RawMessage(broken)); err == nil {
			t.Errorf("%s is read", broken)
		}
	}
}

func TestUnreadPatternsAreNamed(t *testing.T) {
	t.Parallel()
	compiled, err := CompileLoosely(json.RawMessage(credentials))
	if err != nil || !slices.Equal(compiled.Unread(), []string{`^(?!x).*\Z`}) {
		t.Errorf("%q, %v", compiled.Unread(), err)
	}
}

// Whatever a connector calls its spec, reading it ends without a panic (I7).
func FuzzViolations(f *testing.F) {
	f.Add([]byte(credentials), []byte(`{`+fine+`}`))
	f.Add([]byte(`{"oneOf":[{"$ref":"#"},{"const":{"a":1}}]}`), []byte(`{"a":[1]}`))
	f.Add([]byte(`{"anyOf":[{"properties":{"a":{"const":1}}},{"properties":{"a":{"enum":[[1]]}}}]}`), []byte(`{"a":[1]}`))
	f.Fuzz(func(_ *testing.T, schema, config []byte) {
		compiled, err := CompileLoosely(schema)
		if err != nil {
			return
		}
		if decoded, err := Decode(config); err == nil {
			compiled.Violations(decoded)
		}
	})
}
