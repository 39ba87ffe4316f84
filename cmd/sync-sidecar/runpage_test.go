package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A page about a read says how it ended, and what the rows look like, without one of their values.
func TestPageOfARead(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		faults string
		code   int
		want   []string
	}{
		"success": {`{}`, 0, []string{"✓ SUCCESS", "All rows arrived in ", "1,000", "incremental, append_dedup", "string of 24", "updated_at", "id"}},
		"partial": {`{"broken_line":{"after_row":20}}`, 4, []string{"! PARTIAL", "customers", "1 broken line", "What to look at"}},
		"failed":  {`{"error_trace":{"global":true,"message":"no &lt;network&gt;"}}`, 1, []string{"✕ FAILED", "no &amp;lt;network"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			line := newCommandLine(t)
			path := filepath.Join(line.dir, "page.html")
			got := line.run("run", "read", "--exec", line.programs.Demo, "--config", `{"faults":`+test.faults+`}`, "--html", path, "--local-dir", line.dir)
			if got.code != test.code {
				t.Errorf("exit code %d: %s", got.code, got.stderr)
			}
			html, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range test.want {
				if !strings.Contains(string(html), want) {
					t.Errorf("the page lacks %q", want)
				}
			}
			for _, value := range []string{"Zoë", "example.com", "SKU-"} {
				if strings.Contains(string(html), value) {
					t.Errorf("the page holds a value of a row: %s", value)
				}
			}
		})
	}
	line := newCommandLine(t)
	line.env = append(line.env, "DOCKER_HOST=unix:///no/such/socket")
	path := filepath.Join(line.dir, "failed.html")
	got := line.run("run", "read", "--image", "x", "--config", "{}", "--html", path, "--local-dir", line.dir)
	if html, err := os.ReadFile(path); got.code != exitEnvironment || !strings.Contains(string(html), "no Docker Engine answers") {
		t.Errorf("exit code %d: %v: %s", got.code, err, html)
	}
	if got := line.run("run", "read", "--exec", line.programs.Demo, "--config", "{}", "--html", filepath.Join(line.dir, "no", "x.html"),
		"--local-dir", line.dir); got.code != 3 || !strings.Contains(got.stderr, "--html") {
		t.Errorf("exit code %d: %s", got.code, got.stderr)
	}
}
