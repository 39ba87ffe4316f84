package local

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"sync-sidecar/sidecar"
)

// outcome is how a command went: check.json, spec.status.json, catalog.status.json.
type outcome struct {
	Status         sidecar.Status `json:"status"`
	Message        string         `json:"message,omitempty"`
	Package        string         `json:"package,omitempty"`
	PackageVersion string         `json:"package_version,omitempty"`
	StorageKey     string         `json:"storage_key,omitempty"`
	UpdatedAt      time.Time      `json:"updated_at"`
}

// SaveResult writes what the source sent as it is (spec.json, catalog.json), and beside it how that went. A failure leaves the earlier one there.
func (f *Folder) SaveResult(_ context.Context, result sidecar.Result) error {
	f.texts.Lock()
	defer f.texts.Unlock()
	var content, status string
	switch result.Command {
	case sidecar.CommandSpec:
		content, status = "spec.json", "spec.status.json"
	case sidecar.CommandDiscover:
		content, status = "catalog.json", "catalog.status.json"
	case sidecar.CommandCheck:
		status = "check.json"
	case sidecar.CommandRead:
		return fmt.Errorf("%s has no result to save", result.Command)
	default:
		return fmt.Errorf("unknown command %q", result.Command)
	}
	if content != "" && result.Status == sidecar.StatusSuccess {
		if err := f.writeJSON(content, result.Payload); err != nil {
			return err
		}
	}
	return f.writeJSON(status, outcome{
		Status: result.Status, Message: result.Message, UpdatedAt: now(),
		Package: f.identity.Package, PackageVersion: f.identity.PackageVersion, StorageKey: f.identity.StorageKey,
	})
}

// LoadSpec returns the connector's spec that SaveResult saved last; nil when there is none.
func (f *Folder) LoadSpec(context.Context) (json.RawMessage, error) {
	content, err := os.ReadFile(filepath.Join(f.dir, "spec.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("load the spec: %w", err)
	}
	return content, nil
}

// writeJSON replaces one of the folder's JSON files.
//
// +checklocks:f.texts
func (f *Folder) writeJSON(name string, value any) error {
	content, err := readable(value)
	if err != nil {
		return fmt.Errorf("encode %s: %w", name, err)
	}
	return replaceFile(filepath.Join(f.dir, name), content)
}

// rawJSON is text as JSON: itself where it is JSON, else a string; nil when empty.
func rawJSON(text string) (json.RawMessage, error) {
	if text == "" {
		return nil, nil
	}
	if json.Valid([]byte(text)) {
		return json.RawMessage(text), nil
	}
	return json.Marshal(text)
}
