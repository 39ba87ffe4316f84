package runner_test

import (
	"strings"
	"testing"

	"sync-sidecar/runner"
)

func TestFromYAML(t *testing.T) {
	t.Parallel()
	for document, want := range map[string]string{
		"a: 1\nb: [x, 2.50, true, null, ~]\n":                               `{"a":1,"b":["x",2.50,true,null,null]}`,
		"start: 2024-01-01\ncountry: no\nversion: \"1.10\"":                 `{"country":"no","start":"2024-01-01","version":"1.10"}`,
		"id: 123456789012345678901234567890":                                `{"id":123456789012345678901234567890}`,
		"octal: 0x1F\nplus: +5":                                             `{"octal":31,"plus":5}`,
		"zip: 01234\nmode: -0644\nname: 10_000\nb: 0b11":                    `{"b":"0b11","mode":"-0644","name":"10_000","zip":"01234"}`,
		"zero: 0\nhalf: 0.5\nnew: 0o17\nless: -0\nf: 0e1":                   `{"f":0e1,"half":0.5,"less":-0,"new":15,"zero":0}`,
		"b: &b {k: v, l: w}\nx: {<<: *b, l: own, m: 1}":                     `{"b":{"k":"v","l":"w"},"x":{"k":"v","l":"own","m":1}}`,
		"a: &a {k: 1}\nb: &b {<<: *a, k: 2, l: 2}\nx: {<<: [*a, *b], m: 3}": `{"a":{"k":1},"b":{"k":2,"l":2},"x":{"k":1,"l":2,"m":3}}`,
		"a: &a\n  x: {<<: {k: 1}}\nb: *a":                                   `{"a":{"x":{"k":1}},"b":{"x":{"k":1}}}`,
		"text: |\n  two\n  lines\n":                                         `{"text":"two\nlines\n"}`,
		"a: &x {k: v}\nb: *x":                                               `{"a":{"k":"v"},"b":{"k":"v"}}`,
		`{"json": "is YAML", "n": 1e3}`:                                     `{"json":"is YAML","n":1e3}`,
		"1: x\ntrue: y":                                                     `{"1":"x","true":"y"}`,
		"# nothing: is set":                                                 `{}`,
		"# a comment\n---\nkey: ${SECRET}":                                  `{"key":"${SECRET}"}`,
		"---\na: 1\n...\n---\n# no more":                                    `{"a":1}`,
	} {
		if got, err := runner.FromYAML("c.yaml", []byte(document)); err != nil || string(got) != want {
			t.Errorf("%q became %s (%v), want %s", document, got, err, want)
		}
	}
	bomb := "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
	for _, next := range "bcdefghi" {
		bomb += string(next) + ": &" + string(next) + " [" + strings.Repeat("*"+string(next-1)+",", 10) + "]\n"
	}
	for document, want := range map[string]string{
		"a: [s3cret":            "c.yaml: not valid YAML: line 1",
		"":                      "is empty",
		"a: 1\na: 2":            "line 2: a key is there twice",
		"x:\n  <<: s3cret":      "line 2: << takes an object",
		"x:\n  <<: [s3cret]":    "line 2: << takes objects",
		"a: .inf":               "line 1: JSON has no such number",
		"? [k]\n: v":            "line 1: a key is no text",
		"a: !!binary aGk=":      "line 1: a value of a kind",
		bomb:                    "more than 100000 values",
		"a: 1\n---\nb: s3cret":  "c.yaml: line 2: a second document begins",
		"a: 1\n---\nb: [s3cret": "c.yaml: not valid YAML: line ",
	} {
		got, err := runner.FromYAML("c.yaml", []byte(document))
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%.40q became %.60s (%v), want an error with %q", document, got, err, want)
		}
	}
}
