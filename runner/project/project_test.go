package project

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// known are options of each kind.
func known() []Option {
	either := []string{"image", "exec"}
	return []Option{{Name: "image", Instead: either}, {Name: "exec", Instead: either}, {Name: "config", Kind: Document, Path: true},
		{Name: "streams", Kind: List}, {Name: "env", Kind: Pairs}, {Name: "full-refresh", Kind: Switch}, {Name: "cpus", Kind: Number},
		{Name: "local-dir", Path: true}, {Name: "destination-url"}, {Name: "batch-rows", Kind: Integer}, {Name: "timeout", Kind: Duration},
		{Name: "volume", Kind: List, Mount: true}}
}

// told are the values of a sync for comparing.
func told(t *testing.T, file, name string) []string {
	t.Helper()
	parsed, err := Parse("conf/sync-sidecar.yaml", []byte(file), known())
	if err != nil {
		t.Fatal(err)
	}
	sync, err := parsed.Sync(name)
	if err != nil {
		t.Fatal(err)
	}
	values, err := sync.Resolve(func(name string) (string, bool) {
		if name == "N" {
			return "2", true
		}
		return "<" + name + ">", name != "UNSET"
	})
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, value := range values {
		lines = append(lines, fmt.Sprintf("%s=%s%s", value.Name, strings.Join(value.Texts, "|"), value.Document))
	}
	slices.Sort(lines)
	return lines
}

func TestValues(t *testing.T) {
	t.Parallel()
	const file = `
defaults:
  image: airbyte/source-faker:1
  local-dir: data
  cpus: 1.50
  streams: a
syncs:
  users:
    config: {count: 100, date: 2024-01-02, key: "${TOKEN}"}
    streams: [users, 'orders*']
    env: {A: 1, B: "x,y", C: }
  local:
    exec: python3 main.py
    config: local.yaml
    env: [A=1, "B=$${x} ${HOME}"]
    full-refresh: true
    destination-url: ${URL}
    local-dir: /abs
    volume: [./a.csv:/a.csv:ro, cache:/cache, /b:/b]
  commented:
    config:
      # count: 1
  again: &again {full-refresh: True}
  alias: *again
  texts:
    config: |
      key: ${TOKEN}
    batch-rows: 1_000
    timeout: 0
    cpus: ${N}5
  json: {config: '{"key": "${TOKEN}"}', timeout: 1h30m}
`
	for name, want := range map[string][]string{
		"users": {`config={"count":100,"date":"2024-01-02","key":"${TOKEN}"}`, "cpus=1.50", "env=A=1|B=x,y|C", "image=airbyte/source-faker:1",
			"local-dir=conf/data", "streams=users|orders*"},
		"local": {"config=conf/local.yaml", "cpus=1.50", "destination-url=<URL>", "env=A=1|B=${x} <HOME>", "exec=python3 main.py", "full-refresh=true",
			"local-dir=/abs", "streams=a", "volume=conf/a.csv:/a.csv:ro|cache:/cache|/b:/b"},
		"texts": {"batch-rows=1_000", `config={"key":"${TOKEN}"}`, "cpus=25", "image=airbyte/source-faker:1", "local-dir=conf/data", "streams=a",
			"timeout=0"},
		"json":      {`config={"key": "${TOKEN}"}`, "cpus=1.50", "image=airbyte/source-faker:1", "local-dir=conf/data", "streams=a", "timeout=1h30m"},
		"commented": {"config={}", "cpus=1.50", "image=airbyte/source-faker:1", "local-dir=conf/data", "streams=a"},
		"alias":     {"cpus=1.50", "full-refresh=true", "image=airbyte/source-faker:1", "local-dir=conf/data", "streams=a"},
	} {
		if got := told(t, file, name); !slices.Equal(got, want) {
			t.Errorf("%s:\n got %q\nwant %q", name, got, want)
		}
	}
	if got := told(t, "{\"syncs\": {\n\t\"a\": {\n\t\t\"image\": \"x\"}}, \"$schema\": \"https://x\"}", "a"); !slices.Equal(got, []string{"image=x"}) {
		t.Errorf("JSON: %q", got)
	}
}

// All that is wrong is said at once, with its line.
func TestProblems(t *testing.T) {
	t.Parallel()
	for file, want := range map[string][]string{
		"":                          {"names no syncs"},
		"syncs: {}":                 {"names no syncs", "image:"},
		"a: [":                      {"not valid YAML", "line 1"},
		"- a":                       {":1: an object"},
		"sync:\n  a: {image: x}":    {`:1: "sync" is unknown here: did you mean "syncs"?`},
		"syncs:\n  a: x":            {":2: an object"},
		"syncs:\n  read: {}":        {`:2: a sync cannot be called "read"`},
		"syncs:\n  a/b: {}":         {`:2: a sync cannot be called "a/b"`, "letters"},
		"syncs:\n  a: {}\n  a: {}":  {`:3: "a" is there twice`},
		"syncs:\n  a:\n    imag: x": {`:3: "imag" is no option of a sync: did you mean "image"?`},
		"syncs:\n  a:\n    local_dir: x\n    destination: y\n    zzz: 1": {`:3: "local_dir"`, `"local-dir"?`, `:4: "destination"`,
			`"destination-url"?`, `:5: "zzz"`, "--help-all"},
		"syncs:\n  a:\n    sync-id: x":                         {":3: sync-id: the name"},
		"syncs:\n  a:\n    image:":                             {":3: image has no value"},
		"syncs:\n  a:\n    image: [x]":                         {":3: image: a text belongs here"},
		"syncs:\n  a:\n    streams: {x: 1}":                    {":3: streams: a list"},
		"syncs:\n  a:\n    streams: [x, [y]]":                  {":3: streams: a text"},
		"syncs:\n  a:\n    env: {x: [1]}":                      {":3: env: a text"},
		"syncs:\n  a:\n    full-refresh: {}":                   {":3: full-refresh: true or false"},
		"syncs:\n  a:\n    config: {x: 1, x: 2}":               {"line 3", "twice"},
		"x: &x {image: y}\nsyncs:\n  a:\n    <<: *x":           {`:1: "x" is unknown here`},
		"x-x: &x {nope: y}\nsyncs:\n  a:\n    <<: *x":          {`:1: "nope" is no option`},
		"syncs:\n  a:\n    <<: x":                              {"line 3: << takes an object"},
		"defaults:\n  nope: 1\nsyncs:\n  a:\n    cpu: 2":       {`:2: "nope"`, `:5: "cpu" is no option of a sync: did you mean "cpus"?`},
		"syncs:\n  a:\n    full-refresh: yes":                  {`:3: full-refresh: true or false belongs here, not "yes"`},
		"syncs:\n  a:\n    cpus: two\n    batch-rows: 1.5":     {`:3: cpus: a number belongs here, not "two"`, `:4: batch-rows: a whole number`},
		"syncs:\n  a:\n    timeout: 30":                        {":3: timeout: a duration", `not "30"`},
		"syncs:\n  a:\n    config: |\n      k: [":              {":3: config: not valid YAML"},
		"syncs: {a: {image: x}}\n---\nsyncs: {b: {}}":          {"line 2: a second document"},
		"syncs:\n  a: &a\n    config: {x: *a}\n    image: 'y'": {"than 100000 values"},
	} {
		_, err := Parse("p.yaml", []byte(file), known())
		if err == nil {
			t.Errorf("%q: no error", file)
			continue
		}
		for _, part := range want {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%q: %q lacks %q", file, err, part)
			}
		}
	}
}

func TestResolveNamesWhatIsNotSet(t *testing.T) {
	t.Parallel()
	parsed, err := Parse("p.yaml", []byte("syncs:\n  a:\n    image: x:${TAG}\n    destination-url: ${URL}\n  b: {image: y}"), known())
	if err != nil {
		t.Fatal(err)
	}
	sync, err := parsed.Sync("a")
	if err != nil {
		t.Fatal(err)
	}
	_, err = sync.Resolve(func(string) (string, bool) { return "", false })
	for _, part := range []string{"p.yaml:3: image", "TAG", "p.yaml:4: destination-url", "URL"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%v lacks %q", err, part)
		}
	}
	for text, want := range map[string]string{"full-refresh: '${X}'": `p.yaml:2: full-refresh: true or false belongs here, not "off"`,
		"timeout: '${X}'": "a duration", "batch-rows: '1${X}'": `a whole number belongs here, not "1off"`} {
		other, err := Parse("p.yaml", []byte("syncs: {a: {\n"+text+"}}"), known())
		if err != nil {
			t.Fatal(err)
		}
		if _, err = other.Syncs[0].Resolve(func(string) (string, bool) { return "off", true }); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
	if _, err := parsed.Sync("c"); err == nil || !strings.Contains(err.Error(), `p.yaml has no sync "c": it has a, b`) {
		t.Error(err)
	}
}

// What some syncs share, and not all, can be written once.
func TestAnchors(t *testing.T) {
	t.Parallel()
	file, err := Parse("p.yaml", []byte("x-small: &small {memory: 1g, image: one}\nsyncs:\n  a: {<<: *small, image: two}\n  b: *small\n"),
		[]Option{{Name: "memory"}, {Name: "image"}})
	if err != nil || len(file.Syncs) != 2 {
		t.Fatalf("%v %+v", err, file)
	}
	for i, want := range []string{"image=two memory=1g", "memory=1g image=one"} {
		var got []string
		for _, value := range file.Syncs[i].Values {
			got = append(got, value.Name+"="+strings.Join(value.Texts, ","))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %q, want %q", file.Syncs[i].Name, got, want)
		}
	}
}
