package runner

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"sync-sidecar/sidecar/atomicfile"
	"sync-sidecar/sidecar/document"
)

// ConfigUpdateFile is, in the folder of the sync, what the connector made of its configuration (CONTROL): a rotated token, which the next run
// needs.
const ConfigUpdateFile = "config.updated.json"

// rotation is the memory for connectors that change their own configuration (CONTROL), such as those with single-use refresh tokens: given the same
// configuration again, they would not get in. So what they made of it is used in its place, until the caller gives another one.
type rotation struct {
	updated string // what the connector made of the configuration, written by the sidecar
	origin  string // the SHA-256 of the configuration that it was made of
}

func rotationOf(task Task) rotation {
	return rotationIn(filepath.Join(task.Folder(), ConfigUpdateFile))
}

// rotationIn is the memory whose rotated configuration is in a file.
func rotationIn(updated string) rotation {
	return rotation{updated: updated, origin: filepath.Join(filepath.Dir(updated), ".config.origin")}
}

// RotatedConfig is the configuration to begin with where a sidecar keeps what the connector makes of it in the file updated: that, if it was made of
// the given one, or else the given one. It remembers the given one beside that file.
func RotatedConfig(updated string, given []byte) (config []byte, rotated bool, err error) {
	return rotationIn(updated).begin(given)
}

// CurrentConfig is the configuration to go on with after RotatedConfig: what the connector has made of it by now, or the one that is used so far.
func CurrentConfig(updated string, used []byte) (config []byte, rotated bool, err error) {
	return rotationIn(updated).current(used)
}

// begin returns the configuration to use: what the connector made of the given one, or else the given one itself. What it made of another one is
// moved away.
func (r rotation) begin(given []byte) (config []byte, rotated bool, err error) {
	sum := sha256.Sum256(given)
	digest := hex.EncodeToString(sum[:])
	origin, err := os.ReadFile(r.origin)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, false, fmt.Errorf("look for a configuration that the connector changed: %w", err)
	}
	if strings.TrimSpace(string(origin)) == digest {
		return r.current(given)
	}
	if err := os.Rename(r.updated, r.updated+".old"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, false, fmt.Errorf("move away the configuration that the connector made of another one: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(r.origin), 0o755); err != nil {
		return nil, false, fmt.Errorf("make --local-dir: %w", err)
	}
	// Half a digest would look like that of another configuration, and the rotated one be moved away.
	if err := atomicfile.Replace(r.origin, []byte(digest+"\n"), 0o600); err != nil {
		return nil, false, fmt.Errorf("remember the configuration: %w", err)
	}
	return given, false, nil
}

// current is what the connector made of the configuration by now, or the one that is used so far.
func (r rotation) current(used []byte) (config []byte, rotated bool, err error) {
	config, err = document.Read(r.updated)
	if errors.Is(err, fs.ErrNotExist) {
		return used, false, nil
	}
	if err == nil {
		err = CheckObject(r.updated, config)
	}
	if err != nil {
		return nil, false, fmt.Errorf("the configuration that the connector changed cannot be used: %w; move it away to use the one given", err)
	}
	return config, true, nil
}
