package main

import (
	"regexp"
	"strings"
	"testing"
)

// Every option whose name, or placeholder, says that it is a file or a folder is relative to the project file.
func TestProjectPaths(t *testing.T) {
	t.Parallel()
	says := regexp.MustCompile(`(?m)-(file|dir)$|\b(FILE|FOLDER)\b`)
	for _, option := range projectOptions() {
		if says.MatchString(option.Name+"\n"+option.Usage) && !option.Path && !option.Mount {
			t.Errorf("%s is no path", option.Name)
		}
	}
}

// A configuration that is written out in a text is filled in as one in the file is: its quotes stay whole, and its secrets are hidden.
func TestRunAProjectWithAConfigInAText(t *testing.T) {
	t.Parallel()
	c := newCommandLine(t)
	c.env = append(c.env, `API_KEY=key"ses\ame`)
	c.file("sync-sidecar.yaml", `
defaults: {exec: `+c.programs.Demo+`}
syncs:
  json: {config: '{"count": 10, "api_key": "${API_KEY}", "faults": {"log_secret": {}}}'}
  lines:
    config: |
      count: 10
      api_key: ${API_KEY}
`)
	got := c.run("run", "json", "--verbose")
	c.wants("JSON", got, exitOK, "SUCCESS")
	if strings.Contains(got.stdout+got.stderr, "ame") {
		t.Errorf("a secret is shown: %+v", got)
	}
	c.wants("lines", c.run("run", "lines"), exitOK, "SUCCESS")
	got = c.run("run", "check", "--exec", c.programs.Demo, "--config", "count: 10\napi_key: key-sesame\nfaults: [")
	c.wants("lines on the command line", got, exitUsage, "--config: not valid YAML: line")
	if strings.Contains(got.stderr, "sesame") {
		t.Errorf("a secret is shown: %+v", got)
	}
}
