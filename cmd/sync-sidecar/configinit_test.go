package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What config init prints of a connector is what --config takes, as YAML and as JSON, also from stdin and under a name that tells nothing.
func TestConfigInit(t *testing.T) {
	t.Parallel()
	c := newCommandLine(t)
	for _, format := range []string{"yaml", "json"} {
		got := c.run("config", "init", "--exec", c.programs.Demo, "--format", format)
		if got.code != exitOK || !strings.Contains(got.stdout, "records_per_state") {
			t.Fatalf("%s: exit code %d, stderr %s:\n%s", format, got.code, got.stderr, got.stdout)
		}
		for _, name := range []string{"config." + format, "config"} {
			put(t, filepath.Join(c.dir, name), got.stdout)
			if checked := c.demo("check", "--config", name); checked.code != exitOK {
				t.Errorf("%s of %s: exit code %d:\n%s", name, format, checked.code, checked.stderr)
			}
		}
	}
	got := c.run("config", "init", "--exec", c.programs.Demo, "--format", "xml")
	if got.code != exitUsage || !strings.Contains(got.stderr, "yaml or json") {
		t.Errorf("exit code %d: %s", got.code, got.stderr)
	}
	if got = c.run("config", "init"); got.code != exitUsage || !strings.Contains(got.stderr, "--image") {
		t.Errorf("without a connector: exit code %d: %s", got.code, got.stderr)
	}
	if entries, err := os.ReadDir(filepath.Join(c.dir, "sync-data")); err == nil && len(entries) > 1 {
		t.Errorf("config init left %v", entries)
	}
}

// With --sync it is a project file, which is as good as one that somebody wrote.
func TestConfigInitAsASync(t *testing.T) {
	t.Parallel()
	c := newCommandLine(t)
	got := c.run("config", "init", "--exec", c.programs.Demo, "--sync", "shop")
	c.wants("init", got, exitOK, "syncs:\n  shop:", "    config:\n      # ")
	c.file("sync-sidecar.yaml", got.stdout)
	c.wants("check", c.run("run", "check", "shop"), exitOK, "SUCCEEDED")
	c.wants("a command", c.run("config", "init", "--exec", c.programs.Demo, "--sync", "read"), exitUsage, "--sync")
	c.wants("JSON", c.run("config", "init", "--exec", c.programs.Demo, "--sync", "shop", "--format", "json"), exitUsage, "YAML")
}

// A configuration may be YAML; ${NAME} in it is filled in, and the secret is shown nowhere.
func TestConfigAsYAML(t *testing.T) {
	t.Parallel()
	c := newCommandLine(t)
	c.env = append(c.env, "SHOP_KEY=s3cret-key")
	put(t, filepath.Join(c.dir, "config.yaml"),
		"# rows\ncounts:\n  customers: 3\n  products: 2\n  orders: 5\napi_key: ${SHOP_KEY}\nfaults:\n  log_secret: {}\n")
	got := c.demo("read", "--config", "config.yaml")
	if got.code != exitOK || !strings.Contains(got.stdout, "10") || strings.Contains(got.stdout+got.stderr, "s3cret") {
		t.Errorf("exit code %d:\n%s\n%s", got.code, got.stdout, got.stderr)
	}
	put(t, filepath.Join(c.dir, "broken.yaml"), "api_key: [s3cret\n")
	if got := c.demo("check", "--config", "broken.yaml"); got.code != exitUsage || !strings.Contains(got.stderr, "broken.yaml: not valid YAML: line") ||
		strings.Contains(got.stderr, "s3cret") {
		t.Errorf("exit code %d: %s", got.code, got.stderr)
	}
}
