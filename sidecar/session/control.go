package session

import (
	"fmt"

	"sync-sidecar/sidecar/airbyte"
	"sync-sidecar/sidecar/atomicfile"
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
	keep := s.config.KeepConfig
	switch {
	case keep != nil:
	case s.config.ConfigUpdateFile == "":
		s.warn("the connector changed its configuration, and there is no CONFIG_UPDATE_FILE to keep it in: its next run may not be able to log in")
		return
	default:
		keep = func([]byte) (string, error) {
			return s.config.ConfigUpdateFile, atomicfile.Replace(s.config.ConfigUpdateFile, control.Config, 0o600)
		}
	}
	path, err := keep(control.Config)
	if err != nil {
		s.warn(fmt.Sprintf("the connector's changed configuration could not be kept: %v", err))
		return
	}
	s.logs.Info("the connector changed its configuration; it is kept in " + path)
}
