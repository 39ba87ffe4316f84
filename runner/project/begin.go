package project

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// Begin is a project file of one sync: its options, which are texts, and its config, which is YAML.
func Begin(name string, options [][2]string, config []byte) ([]byte, error) {
	var text bytes.Buffer
	fmt.Fprintf(&text, "syncs:\n  %s: # sync-sidecar run %[1]s\n", name)
	for _, option := range options {
		value, err := json.Marshal(option[1]) // as YAML writes it, too
		if err != nil {
			return nil, fmt.Errorf("write %s: %w", option[0], err)
		}
		fmt.Fprintf(&text, "    %s: %s\n", option[0], value)
	}
	text.WriteString("    config:\n")
	for line := range bytes.Lines(config) {
		if len(bytes.TrimSpace(line)) > 0 {
			text.WriteString("      ")
		}
		text.Write(line)
	}
	return text.Bytes(), nil
}
