package main

import (
	"slices"
	"strings"
	"testing"
)

func TestInOrder(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"run read img --config c -q":            "run read --config c -q img",
		"run read --config - img":               "run read --config - img",
		"run read --config=c img --no-state":    "run read --config=c --no-state img",
		"run a b --jobs 2":                      "run read --jobs 2 a b",
		"run --all":                             "run read --all",
		"run read a -- --not":                   "run read a -- --not",
		"run --help":                            "run --help",
		"run":                                   "run",
		"run check x --nope y":                  "run check --nope x y",
		"state import - --sync-id x":            "state import --sync-id x -",
		"state diff f -o json --streams a":      "state diff -o json --streams a f",
		"state":                                 "state",
		"state nope --sync-id x":                "state nope --sync-id x",
		"exec --stdout-pipe p -- prog --flag x": "exec --stdout-pipe p -- prog --flag x",
		"sidecar extra --nope":                  "sidecar extra --nope",
	} {
		words := append([]string{"sync-sidecar"}, strings.Fields(line)...)
		got := inOrder(newApp(environment{}), words)
		if text := strings.Join(got.args[1:], " "); text != want {
			t.Errorf("%s: %q, want %q", line, text, want)
		}
		if implied := strings.HasPrefix(want, "run read") && !strings.HasPrefix(line, "run read"); got.implied != implied {
			t.Errorf("%s: implied is %v", line, got.implied)
		}
		if strings.Join(words[1:], " ") != line {
			t.Errorf("%s was changed", line)
		}
	}
	got := inOrder(newApp(environment{}), strings.Fields("x run a -q --config=c -e A=1 --streams=b"))
	if !slices.Equal(got.given, []string{"quiet", "config", "env", "streams"}) {
		t.Errorf("given are %q", got.given)
	}
}
