package compose

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// decided are the settings that compose.yaml decides itself, by its volumes and commands, that are another file's, that need a mount of their own, or
// that are for many pods at once.
func decided() []string {
	return []string{"STDOUT_PIPE_FILE", "STDERR_PIPE_FILE", "EXIT_STATUS_FILE", "VERDICT_FILE", "CONFIG_FILE", "CATALOG_FILE", "STATE_FILE",
		"CONFIG_UPDATE_FILE", "LOCAL_DIR", "LOAD_STATE", "PLACE_DIR", "COPY_CONFIG", "PACKAGE", "CONFIG_SECRETS", "PREPARE", "EVERY",
		"TERMINATION_MESSAGE_PATH", "SHARDS", "SHARD", "STARTUP_JITTER", "CONNECTOR_CA_FILE"}
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
	for version, compose := range composeVersions(t) {
		t.Run(version, func(t *testing.T) {
			p := newProject(t, compose, settings)
			checkServices(t, servicesOf(p.must(t, "config")))
		})
	}
}

// servicesOf parts the output of `config` by service.
func servicesOf(output string) map[string]string {
	services := map[string]string{}
	heads := regexp.MustCompile(`(?m)^  (\w+):$`).FindAllStringSubmatchIndex(output, -1)
	for i, head := range heads {
		end := len(output)
		if i+1 < len(heads) {
			end = heads[i+1][0]
		}
		services[output[head[2]:head[3]]] = output[head[0]:end]
	}
	return services
}

// checkServices looks for every setting in what init and the sidecar are given.
func checkServices(t *testing.T, services map[string]string) {
	t.Helper()
	for _, name := range listed(t) {
		line := regexp.MustCompile(`(?m)^ +` + name + `: value-of-` + name + `$`)
		for _, service := range []string{"init", "sidecar"} {
			passed, kept := line.MatchString(services[service]), slices.Contains(decided(), name)
			switch {
			case !passed && !kept:
				t.Errorf("compose.yaml does not pass %s on to %s", name, service)
			case passed && kept:
				t.Errorf("compose.yaml passes %s on to %s, and decides it as well", name, service)
			}
		}
	}
	for _, name := range []string{"PIPE_OPEN_TIMEOUT", "VERDICT_TIMEOUT", "NO_WAIT_VERDICT"} {
		if !strings.Contains(services["source"], "value-of-"+name) {
			t.Errorf("compose.yaml does not pass %s on to exec", name)
		}
	}
}

// TestEmptySettings: a line of .env without a value leaves the preset, for a text as for a number, a duration or a switch.
func TestEmptySettings(t *testing.T) {
	settings := map[string]string{}
	for _, name := range listed(t) {
		settings[name] = ""
	}
	settings["SOURCE_IMAGE"] = demoImage
	for version, compose := range composeVersions(t) {
		t.Run(version, func(t *testing.T) {
			newProject(t, compose, settings).wantUp(t, 0, "100 of 100 rows", "SYNC_ID=demo")
		})
	}
}

// TestFilesAreValid: every file goes with compose.yaml in both versions, and all of them together do.
func TestFilesAreValid(t *testing.T) {
	for version, compose := range composeVersions(t) {
		t.Run(version, func(t *testing.T) {
			p := newProject(t, compose, map[string]string{"NETWORK": "elsewhere"})
			for _, files := range []string{"compose.yaml", "compose.yaml:postgres.yaml", "compose.yaml:postgres.yaml:bulker.yaml", "compose.yaml:limits.yaml",
				"compose.yaml:network.yaml", "compose.yaml:restart.yaml", "compose.yaml:schedule.yaml",
				"compose.yaml:postgres.yaml:bulker.yaml:limits.yaml:network.yaml:schedule.yaml"} {
				code, output := p.run(t.Context(), t, []string{"COMPOSE_FILE=" + files}, "config")
				if code != 0 || strings.Contains(strings.ToLower(output), "warn") {
					t.Errorf("%s: exit code %d:\n%s", files, code, output)
				}
			}
			code, output := p.run(t.Context(), t, []string{"COMPOSE_FILE=compose.yaml:network.yaml", "NETWORK="}, "config")
			if code == 0 || !strings.Contains(output, "NETWORK") {
				t.Errorf("without NETWORK: exit code %d:\n%s", code, output)
			}
		})
	}
}
