package compose

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestSmokeScript: scripts/smoke.sh is green for a good connector, with every server, and red for one that fails, with its last words.
func TestSmokeScript(t *testing.T) {
	needEngine(t)
	config := filepath.Join(t.TempDir(), "config.json")
	if err := os.WriteFile(config, []byte(`{"count":100,"faults":{"exit_code":{"command":"read","code":9}}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	images := []string{"POSTGRES_IMAGE=" + standIn(t, "postgres"), "KAFKA_IMAGE=" + standIn(t, "kafka"), "BULKER_IMAGE=" + standIn(t, "bulker")}
	for _, test := range []struct {
		name, text string
		args       []string
		code       int
	}{
		{name: "local", args: nil, code: 0, text: "everything as it should be"},
		{name: "bulker", args: []string{"--profile", "bulker"}, code: 0, text: "delivered to bulker at bulker:3042"},
		{name: "failing", args: []string{"--config", config}, code: 1, text: "exited with code 9"},
		{name: "usage", args: []string{"--profile", "elsewhere"}, code: 2, text: "scripts/smoke.sh --image"},
	} {
		t.Run(test.name, func(t *testing.T) {
			command := exec.CommandContext(t.Context(), "../scripts/smoke.sh", test.args...)
			command.Env = append(os.Environ(), images...)
			output, err := command.CombinedOutput()
			if command.ProcessState == nil {
				t.Fatal(err)
			}
			if code := command.ProcessState.ExitCode(); code != test.code || !strings.Contains(string(output), test.text) {
				t.Errorf("exit code %d, want %d and %q in:\n%s", code, test.code, test.text, output)
			}
		})
	}
}
