package schema

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestWhatDoesNotFit(t *testing.T) {
	t.Parallel()
	const rows = `{"type":"object","required":["id"],"properties":{"id":{"type":"integer"},"at":{"type":["null","string"],"format":"date-time"},
		"day":{"type":"string","format":"date"},"mail":{"type":"string","format":"email"},"tags":{"type":"array","items":{"type":"string"}},
		"kind":{"enum":["a","b"]},"either":{"oneOf":[{"type":"string"},{"type":"object","properties":{"x":{"type":"number"}}}]},
		"code":{"type":"string","pattern":"^(?!x).*$"},"word":{"type":"string","pattern":"^[a-z]+$"}}}`
	for document, want := range map[string]string{
		`{"id":1}`:                           "",
		`{"id":1.0}`:                         "",
		`{"id":123456789012345678901234}`:    "",
		`{"id":1.5}`:                         "id is number, want integer",
		`{"id":"secret"}`:                    "id is string, want integer",
		`{"id":null}`:                        "id is null, want integer",
		`{}`:                                 "(all) lacks id",
		`{"id":1,"more":true}`:               "",
		`{"id":1,"tags":["a",1,2,"b"]}`:      "tags[] is number, want string",
		`{"id":1,"kind":"secret"}`:           "kind is none of the values that the schema allows",
		`{"id":1,"either":{"x":"secret"}}`:   "either fits none, or too many, of the alternatives",
		`{"id":1,"word":"SECRET"}`:           "word breaks pattern",
		`{"id":1,"code":"any"}`:              "",
		`{"id":1,"mail":"not one"}`:          "",
		`{"id":1,"day":"2024-02-30"}`:        "day is no date",
		`{"id":1,"at":"yesterday"}`:          "at is no date-time",
		`{"id":1,"at":null}`:                 "",
		`{"id":"x","tags":[1]}`:              "id is string, want integer; tags[] is number, want string",
		`{"id":1,"at":"2024-01-02"}`:         "at is no date-time",
		`{"id":1,"at":"2024-01-02 3:04:05"}`: "",
	} {
		compiled, err := Compile(json.RawMessage(rows))
		if err != nil {
			t.Fatal(err)
		}
		decoded, err := Decode([]byte(document))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, problem := range compiled.Check(decoded) {
			got = append(got, problem.Path+" "+problem.What)
		}
		if strings.Join(got, "; ") != want {
			t.Errorf("%s: %q, want %q", document, strings.Join(got, "; "), want)
		}
	}
}

// Connectors write the times of a database: with or without a zone, with a space, with a fraction.
func TestTimesThatConnectorsWrite(t *testing.T) {
	t.Parallel()
	compiled, err := Compile(json.RawMessage(`{"format":"date-time"}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, good := range []string{"2024-01-02T03:04:05Z", "2024-01-02T03:04:05.123456+02:00", "2024-01-02T03:04:05", "2024-01-02 03:04:05.5",
		"2024-01-02 03:04:05+00", "2024-01-02 03:04:05 +0000", "2024-01-02T03:04:05+0000"} {
		if problems := compiled.Check(good); len(problems) > 0 {
			t.Errorf("%s: %v", good, problems)
		}
	}
	for _, bad := range []string{"", "2024-13-02T03:04:05Z", "1700000000", "2024-01-02T25:04:05"} {
		if len(compiled.Check(bad)) == 0 {
			t.Errorf("%q passes", bad)
		}
	}
}

func TestWhatIsNoSchema(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{"type":"strng"}`: "type: fits none", `{"properties":[]}`: "properties: is array, want object",
		`{"properties":{"a":{"type":"whole number"}}}`: "properties.a.type", `{"$ref":"#/definitions/none"}`: "does not compile",
		`{"$ref":"http://example.com/schema.json"}`: "a reference leads out of the schema",
		`{"$ref":"file:///etc/passwd"}`:             "a reference leads out of the schema",
		`nonsense`:                                  "not JSON",
	} {
		_, err := Compile(json.RawMessage(text))
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "sync-sidecar.schema") {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
	for _, fine := range []string{`{}`, `true`, `{"$schema":"http://json-schema.org/schema#","type":"object"}`,
		`{"$id":"https://example.com/x","type":"object"}`,
		`{"pattern":"(?<name>x)(?=y)"}`, `{"definitions":{"a":{"type":"string"}},"properties":{"x":{"$ref":"#/definitions/a"}}}`} {
		if _, err := Compile(json.RawMessage(fine)); err != nil {
			t.Errorf("%s: %v", fine, err)
		}
	}
}

func TestWalk(t *testing.T) {
	t.Parallel()
	document,
		err := Decode([]byte(`{"properties":{"a":{"type":["string","null"],"airbyte_type":"x"},"b":{"oneOf":[{"properties":{"c":{"type":"integer"}}}]},
		"d":{"items":{"type":"object","properties":{"e":{}}}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	root := Of(document)
	var paths []string
	root.Walk(func(path string, _ Object) { paths = append(paths, path) })
	if want := []string{"(all)", "a", "b", "b", "b.c", "d", "d[]", "d[].e"}; !slices.Equal(paths, want) {
		t.Errorf("%v, want %v", paths, want)
	}
	if got := root.At([]string{"b", "c"}).Types(); fmt.Sprint(got) != "[integer]" {
		t.Errorf("b.c is %v", got)
	}
	if root.At([]string{"a", "z"}) != nil || root.At([]string{"nothing"}) != nil {
		t.Error("found what is not there")
	}
	if got := root.Property("a").Kind(); got != "string (x)" {
		t.Errorf("a is %q", got)
	}
	deep := strings.Repeat(`{"items":`, 5000) + `{}` + strings.Repeat(`}`, 5000)
	if document, err := Decode([]byte(deep)); err == nil {
		Of(document).Walk(func(string, Object) {})
	}
}
