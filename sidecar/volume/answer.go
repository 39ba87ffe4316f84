package volume

import (
	"fmt"
	"os"
)

// Answer answers a file by one beside it with the same content, named <path>.answer. Whoever asks, outside of the container, finds out by that
// whether both see the same folder, and whose the files are that the container makes.
func Answer(path string) error {
	question, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("look for the folder of the caller: %w", err)
	}
	if err := os.WriteFile(path+".answer", question, 0o644); err != nil { //nolint:gosec // for another user, who then knows
		return fmt.Errorf("write into the folder of the caller: %w", err)
	}
	return nil
}
