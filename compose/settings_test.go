package compose

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// decided are the settings that connector.yaml decides itself, by its volumes and commands.
func decided() []string {
	return []string{"STDOUT_PIPE_FILE", "STDERR_PIPE_FILE", "EXIT_STATUS_FILE", "CONFIG_FILE", "CATALOG_FILE", "STATE_FILE", "CONFIG_UPDATE_FILE",
		"LOCAL_DIR", "LOAD_STATE", "PLACE_DIR", "COPY_CONFIG", "PACKAGE"}
}

// listed are the names of all settings: a test of the program holds .env.example against its flags.
func listed(t *testing.T) []string {
	t.Helper()
	content, err := os.ReadFile("../.env.example")
	if err != nil {
		t.Fatal(err)
	}
	_, made, _ := strings.Cut(string(content), "# --- From here on")
	var names []string
	for _, match := range regexp.MustCompile(`(?m)^#([A-Z_]+)=`).FindAllStringSubmatch(made, -1) {
		names = append(names, match[1])
	}
	if len(names) < 40 {
		t.Fatalf("../.env.example lists %d settings", len(names))
	}
	return names
}

// TestSettingsReachTheirServices: what stands in .env reaches init, which reads the settings too, and the sidecar, whatever setting it is.
func TestSettingsReachTheirServices(t *testing.T) {
	settings := map[string]string{}
	for _, name := range listed(t) {
		settings[name] = "value-of-" + name
	}
	settings["SOURCE_IMAGE"] = demoImage
	p := newProject(t, settings, "connector.yaml")
	code, output := p.run(t.Context(), t, nil, "config")
	if code != 0 {
		t.Fatalf("config: exit code %d:\n%s", code, output)
	}
	services := map[string]string{}
	heads := regexp.MustCompile(`(?m)^  (\w+):$`).FindAllStringSubmatchIndex(output, -1)
	for i, head := range heads {
		end := len(output)
		if i+1 < len(heads) {
			end = heads[i+1][0]
		}
		services[output[head[2]:head[3]]] = output[head[0]:end]
	}
	for _, name := range listed(t) {
		line := regexp.MustCompile(`(?m)^ +` + name + `: value-of-` + name + `$`)
		for _, service := range []string{"init", "sidecar"} {
			passed, kept := line.MatchString(services[service]), slices.Contains(decided(), name)
			switch {
			case !passed && !kept:
				t.Errorf("connector.yaml does not pass %s on to %s", name, service)
			case passed && kept:
				t.Errorf("connector.yaml passes %s on to %s, and decides it as well", name, service)
			}
		}
	}
	if !strings.Contains(services["source"], "value-of-PIPE_OPEN_TIMEOUT") {
		t.Error("connector.yaml does not pass PIPE_OPEN_TIMEOUT on to exec")
	}
}

// TestEmptySettings: a line of .env without a value leaves the preset, for a text as for a number, a duration or a switch.
func TestEmptySettings(t *testing.T) {
	settings := map[string]string{}
	for _, name := range listed(t) {
		settings[name] = ""
	}
	settings["SOURCE_IMAGE"] = demoImage
	p := newProject(t, settings, "connector.yaml")
	p.put(t, "config/config.json", `{"count":100}`)
	if code, output := p.up(t, "SYNC_ID=shop"); code != 0 {
		t.Fatalf("exit code %d:\n%s", code, output)
	}
	if rows := strings.Count(p.read(t, "data/shop/rows/orders.ndjson"), "\n"); rows != 60 {
		t.Errorf("%d rows of orders, want 60", rows)
	}
}
