package compose

import (
	"bytes"
	"compress/gzip"
	"os"
	"strings"
	"testing"
	"time"
)

// TestControllersPod: in the Pod that Jitsu's sync-controller makes, the image is the sidecar without being told so, for all four commands.
func TestControllersPod(t *testing.T) {
	for version, compose := range composeVersions(t) {
		t.Run(version, func(t *testing.T) { controllersPod(t, compose) })
	}
}

func controllersPod(t *testing.T, compose []string) {
	t.Helper()
	p := newProject(t, compose, map[string]string{"SOURCE_IMAGE": "airbyte/source-faker:dev"})
	file, err := os.ReadFile("testdata/controller.yaml")
	if err != nil {
		t.Fatal(err)
	}
	p.put(t, "compose.yaml", string(file))
	zip := func(name, content string) {
		var packed bytes.Buffer
		writer := gzip.NewWriter(&packed)
		if _, err := writer.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
		if err := writer.Close(); err != nil {
			t.Fatal(err)
		}
		p.put(t, "config/"+name+".json.gz", packed.String())
	}
	zip("config", `{"count":50,"records_per_slice":10,"parallelism":1}`)
	zip("catalog", `{"streams":[{"stream":{"name":"users","json_schema":{},"supported_sync_modes":["full_refresh","incremental"]},
		"sync_mode":"incremental","destination_sync_mode":"append_dedup","cursor_field":["updated_at"],"primary_key":[["id"]]}]}`)
	zip("state", `{}`)
	for _, command := range [][]string{
		{"spec"}, {"check", "--config", "/config/config.json"}, {"discover", "--config", "/config/config.json"},
		{"read", "--config", "/config/config.json", "--catalog", "/config/catalog.json", "--state", "/config/state.json"},
	} {
		env := []string{"COMMAND=" + command[0], "ARGUMENTS=" + strings.Join(command, " "),
			"STARTED_AT=" + time.Now().UTC().Format(time.RFC3339)}
		code, output := p.up(t, env...)
		if code != 0 || !strings.Contains(output, command[0]+" SUCCESS") || !strings.Contains(output, "functions are not run here") {
			t.Errorf("%s: exit code %d:\n%s", command[0], code, output)
		}
		if command[0] == "read" && !strings.Contains(output, "50 of 50 rows delivered") {
			t.Errorf("read: %s", output)
		}
		p.run(t.Context(), t, env, "down", "--volumes", "--timeout", "1")
	}
}
