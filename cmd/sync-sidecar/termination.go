package main

import (
	"fmt"
	"os"
	"strings"
)

const (
	// terminationPath is where Kubernetes reads a container's last words (terminationMessagePath). Elsewhere there is no such file.
	terminationPath = "/dev/termination-log"
	// maxTerminationBytes is what Kubernetes reads of it.
	maxTerminationBytes = 4096
)

// leaveLastWords writes what `kubectl describe pod` shows of a container that has ended: text without secrets, shortened at its end. Without such a
// file it does nothing.
func leaveLastWords(path, text string) error {
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() || text == "" {
		return nil //nolint:nilerr // what is not there is not wanted
	}
	const cut = " …"
	if len(text) > maxTerminationBytes {
		text = strings.ToValidUTF8(text[:maxTerminationBytes-len(cut)], "") + cut
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		return fmt.Errorf("write the termination message: %w", err)
	}
	return nil
}
