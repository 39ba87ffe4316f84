package session

import (
	"os"
	"path/filepath"
	"testing"

	"sync-sidecar/sidecar"
)

// TestChangedConfigIsKept: whoever masks hears of a changed configuration before it is on the disk, where only its owner reads it (I5).
func TestChangedConfigIsKept(t *testing.T) {
	t.Parallel()
	r := newRig(t, "users")
	path := filepath.Join(t.TempDir(), "config.json")
	const changed = `{"token":"hunter3"}`
	var heard string
	r.config.ConfigUpdateFile = path
	r.config.NewSecrets = func(config []byte) {
		if _, err := os.Stat(path); err == nil {
			t.Error("it was kept first")
		}
		heard = string(config)
	}
	report := r.start().say(`{"type":"CONTROL","control":{"type":"CONNECTOR_CONFIG","emitted_at":1,"connectorConfig":{"config":`+changed+`}}}`,
		row("users"), status("users", "COMPLETE")).exit(0).hangUp().end()
	kept, err := os.ReadFile(path)
	if err != nil || string(kept) != changed || heard != changed || report.Status != sidecar.StatusSuccess {
		t.Fatalf("kept %q, heard %q, %v; %s: %s", kept, heard, err, report.Status, report.Cause)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}
