package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sync-sidecar/sidecar/airbyte"
)

// TestCatalog runs discover as a Pod's init container does: the connector named by the image's AIRBYTE_ENTRYPOINT or by arguments, everything else by
// variables.
func TestCatalog(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		config    string
		args      []string
		variables []string
		code      int
		streams   []string
		mode      airbyte.SyncMode
		says      string
	}{
		"all": {config: `{"count":10}`, streams: []string{"customers", "products", "orders"}, mode: airbyte.Incremental},
		"some": {config: `{"count":10}`, args: []string{"--streams", "orders,customers"}, streams: []string{"customers", "orders"},
			mode: airbyte.Incremental},
		"whole": {config: `{"count":10}`, variables: []string{"FULL_SYNC=true"}, streams: []string{"customers", "products", "orders"},
			mode: airbyte.FullRefresh},
		"unknown":    {config: `{"count":10}`, args: []string{"--streams", "order"}, code: exitUsage, says: `did you mean "orders"`},
		"no config":  {code: exitUsage, says: "CONFIG_FILE"},
		"no program": {config: `{}`, variables: []string{"AIRBYTE_ENTRYPOINT="}, code: exitUsage, says: "AIRBYTE_ENTRYPOINT"},
		"failed": {config: `{"api_key":"very-secret","faults":{"stderr_text":{"command":"discover","text":"key is very-secret"},
			"exit_code":{"command":"discover","code":7}}}`, code: exitFailed, says: "key is ***"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCommandLine(t)
			config, catalog := filepath.Join(c.dir, "config.json"), filepath.Join(c.dir, "catalog.json")
			if test.config != "" {
				if err := os.WriteFile(config, []byte(test.config), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			c.env = append(c.env, "AIRBYTE_ENTRYPOINT="+c.programs.Demo, "CONFIG_FILE="+config, "CATALOG_FILE="+catalog)
			c.env = append(c.env, test.variables...)
			got := c.run(append([]string{"catalog"}, test.args...)...)
			if got.code != test.code || !strings.Contains(got.stderr, test.says) || strings.Contains(got.stderr, "very-secret") {
				t.Errorf("exit code %d, want %d: %s", got.code, test.code, got.stderr)
			}
			hidden, err := filepath.Glob(filepath.Join(c.dir, "tmp", ".*"))
			if err != nil || len(hidden) > 0 {
				t.Errorf("left behind: %v %v", hidden, err)
			}
			if test.code != 0 {
				return
			}
			checkCatalog(t, catalog, test.streams, test.mode)
		})
	}
}

func checkCatalog(t *testing.T, path string, streams []string, mode airbyte.SyncMode) {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var configured airbyte.ConfiguredCatalog
	if err := json.Unmarshal(content, &configured); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, stream := range configured.Streams {
		names = append(names, stream.Stream.Name)
	}
	if !slices.Equal(names, streams) || configured.Streams[0].SyncMode != mode {
		t.Errorf("streams %v as %s, want %v as %s", names, configured.Streams[0].SyncMode, streams, mode)
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o666 {
		t.Errorf("%v, %v: the sidecar is another user", info.Mode(), err)
	}
}
