package runner

import (
	"strings"
	"testing"
)

func TestCheckJSONSaysWhere(t *testing.T) {
	for _, test := range []struct{ document, want string }{
		{"{\"a\": 1}", ""},
		{"{\"a\": }", "config.json:1:7:"},
		{"{\n  \"a\": 1,\n}", "config.json:3:1:"},
		{"{\"a\": 1", "config.json:1:7:"},
		{"", "config.json:1:1:"},
		{"{} x", "config.json:1:4:"},
	} {
		err := CheckJSON("config.json", []byte(test.document))
		if (err == nil) != (test.want == "") || (err != nil && !strings.HasPrefix(err.Error(), test.want)) {
			t.Errorf("%q: got %v, want %q", test.document, err, test.want)
		}
	}
}

func TestCheckJSONHidesTheDocument(t *testing.T) {
	err := CheckJSON("config.json", []byte(`{"password":"hunter2",}`))
	if err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("got %v", err)
	}
}

func TestCheckObject(t *testing.T) {
	if err := CheckObject("x", []byte(` {"a":1} `)); err != nil {
		t.Error(err)
	}
	for _, document := range []string{"[]", "1", "null", `"{}"`} {
		if err := CheckObject("x", []byte(document)); err == nil || !strings.Contains(err.Error(), "must be a JSON object") {
			t.Errorf("%s: got %v", document, err)
		}
	}
}

// The data of a LEGACY state may be any object, but not one that is surely something else.
func TestCheckState(t *testing.T) {
	for document, want := range map[string]string{
		`[]`:                                          "",
		`{"type":"RECORD","n":1}`:                     "",
		`{"streams":{"a":1},"catalog":{}}`:            "",
		`{"type":"STATE","state":{"data":{}}}`:        "",
		`{"type":"STATE","n":1}`:                      "s.json: is a STATE message without its state, and no state",
		`{"type":"STATE","state":null}`:               "a STATE message without",
		`{"type":"RECORD","record":{}}`:               "a RECORD message",
		`{"type":"CATALOG","catalog":{}}`:             "a CATALOG message",
		`{"streams":[{"stream":{"name":"a"}}]}`:       "a catalog",
		`{"streams":[{"name":"a","json_schema":{}}]}`: "a catalog",
		`[{"type":"STREAM"}]`:                         "stream_descriptor",
	} {
		err := CheckState("s.json", []byte(document))
		if (err == nil) != (want == "") || (err != nil && !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: got %v, want %q", document, err, want)
		}
	}
}

func TestCheckCatalog(t *testing.T) {
	for document, want := range map[string]string{
		`{"streams":[{"stream":{"name":"a"}}]}`: "",
		`{"streams":[]}`:                        "missing or empty",
		`{}`:                                    "missing or empty",
		`{"streams":[{"name":"a"}]}`:            "as discover prints it",
		`{"streams":[{"stream":{}}]}`:           `lacks "stream"`,
		`{"streams":[{}]}`:                      `lacks "stream"`,
		`{"streams":{}}`:                        "not a configured catalog",
		`[]`:                                    "must be a JSON object",
		`{"streams":[{"stream":{"name":"a"}},{}]}`: "streams[1]",
	} {
		err := CheckCatalog("c.json", []byte(document))
		if (err == nil) != (want == "") || (err != nil && !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: got %v, want %q", document, err, want)
		}
	}
}

func TestExpand(t *testing.T) {
	lookup := func(name string) (string, bool) {
		value, ok := map[string]string{"TOKEN": `a"b${TOKEN}`, "N": "7"}[name]
		return value, ok
	}
	for _, test := range []struct{ document, want, problem string }{
		{`{"a":"x"}`, `{"a":"x"}`, ""},
		{`{"a": "${TOKEN}"}`, `{"a":"a\"b${TOKEN}"}`, ""},
		{`{"a":["${N}-${N}",12345678901234567890]}`, `{"a":["7-7",12345678901234567890]}`, ""},
		{`{"a":"$${N}"}`, `{"a":"${N}"}`, ""},
		{`{"a":"${not a name}"}`, `{"a":"${not a name}"}`, ""},
		{`{"a":"${X}","b":{"c":"${Y}"}}`, "", "X"},
	} {
		got, err := Expand("c.json", []byte(test.document), lookup)
		if test.problem != "" {
			if err == nil || !strings.Contains(err.Error(), test.problem) {
				t.Errorf("%s: got %v, want an error with %q", test.document, err, test.problem)
			}
			continue
		}
		if err != nil || string(got) != test.want {
			t.Errorf("%s: got %s, %v, want %s", test.document, got, err, test.want)
		}
	}
}
