package session

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"sync-sidecar/sidecar/airbyte"
)

// keepConfig keeps a changed connector configuration the moment it is read: a rotated single-use token is lost otherwise (airbyte-platform persists
// it before queueing, too). It replaces the whole config, as there. Its content is secret and never logged (I5).
func (s *session) keepConfig(control *airbyte.Control) {
	if len(control.Config) == 0 {
		s.logs.Warn(fmt.Sprintf("CONTROL message of type %q without a config: ignored", control.Type))
		return
	}
	if s.config.NewSecrets != nil {
		s.config.NewSecrets(control.Config)
	}
	if s.config.ConfigUpdateFile == "" {
		s.warn("the connector changed its configuration, and there is no CONFIG_UPDATE_FILE to keep it in: its next run may not be able to log in")
		return
	}
	if err := writeFile(s.config.ConfigUpdateFile, control.Config, 0o600); err != nil {
		s.warn(fmt.Sprintf("the connector's changed configuration could not be kept: %v", err))
		return
	}
	s.logs.Info("the connector changed its configuration; it is kept in " + s.config.ConfigUpdateFile)
}

// writeFile puts a file into place whole or not at all.
func writeFile(path string, content []byte, mode os.FileMode) (err error) {
	file, err := os.CreateTemp(filepath.Dir(path), ".sync-sidecar-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("write %s: %w", path, err), os.Remove(file.Name()))
		}
	}()
	_, err = file.Write(content)
	if err = errors.Join(err, file.Chmod(mode), file.Sync(), file.Close()); err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}
