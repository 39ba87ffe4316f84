package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func writeEnvFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "connector.env")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// The expectations are what Docker's own reader gives (docker/cli v29, pkg/kvfile).
func TestEnvFileIsReadAsDockerDoes(t *testing.T) {
	t.Parallel()
	environ := []string{"PASSED=old", "PASSED=on", "EMPTY=", "HOME=/root"}
	for text, want := range map[string][]string{
		"":                           nil,
		"A=1":                        {"A=1"},
		"A=1\nB=2\nA=3\n":            {"A=1", "B=2", "A=3"},
		"B=2\nA=1":                   {"B=2", "A=1"},
		"A=abc #def":                 {"A=abc #def"},
		"A=${HOME} $HOME $(id) `id`": {"A=${HOME} $HOME $(id) `id`"},
		`A="1 1"`:                    {`A="1 1"`},
		`A='1'`:                      {`A='1'`},
		`A=a\nb\\c\"`:                {`A=a\nb\\c\"`},
		"A= 1 \t":                    {"A= 1 \t"},
		"  \tA=1":                    {"A=1"},
		"# A=1\n   # B=2\n#\nC=#3":   {"C=#3"},
		"\n\n  \nA=1":                {"A=1"},
		"A=1\r\nB=2\r\n":             {"A=1", "B=2"},
		"\uFEFFA=1":                  {"A=1"},
		"A=1\n\uFEFFB=2":             {"A=1", "\uFEFFB=2"},
		"A=":                         {"A="},
		"A==b=c":                     {"A==b=c"},
		"PASSED":                     {"PASSED=on"},
		"EMPTY":                      {"EMPTY="},
		"NOT_SET_HERE\nA=1":          {"A=1"},
		"PASS":                       nil,
		"a.b-c=1":                    {"a.b-c=1"},
		"A=pässwörd":                 {"A=pässwörd"},
	} {
		got, err := readEnvFile(writeEnvFile(t, text), environ)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: got %q and %v, want %q", text, got, err, want)
		}
	}
}

// I5: whatever is wrong with the file, the error names file and line, and shows nothing of it.
func TestEnvFileErrors(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"A=1\nexport TOKEN=hunter2":                       ":2: the name has a space",
		"TOKEN = hunter2":                                 ":1: the name has a space",
		"hunter2 hunter2":                                 ":1: the name has a space",
		"KEY=-----BEGIN KEY-----\nhunter2\nhunter2 x=y":   ":3: the name has a space",
		"A=1\n\n=hunter2":                                 ":3: there is no name",
		"TOKEN: hunter2":                                  ":1: the name has a space",
		"TOKEN=hunter2\xff":                               ":1: not UTF-8",
		"A=1\nTOKEN=hunter2" + strings.Repeat("x", 1<<16): ":2: a line is longer than",
	} {
		path := writeEnvFile(t, text)
		got, err := readEnvFile(path, nil)
		if err == nil || !strings.Contains(err.Error(), path+want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: got %q and %v, want %q", text, got, err, want)
		}
	}
	if _, err := readEnvFile(filepath.Join(t.TempDir(), "none.env"), nil); err == nil || !strings.Contains(err.Error(), "none.env") {
		t.Errorf("no such file: %v", err)
	}
}
