package runner

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
	"sync-sidecar/sidecar/atomicfile"
)

// Identifier is an Engine that can tell one build of a connector from another: by the digest of its image, or by its files. What such a connector
// discovered need not be asked for again.
type Identifier interface {
	Identify(ctx context.Context, task Task, watch Watch) (string, error)
}

// DefaultCatalogAge is how long discovered streams are used unless the user says otherwise.
const DefaultCatalogAge = 24 * time.Hour

// discoveredFile is, in the folder of the sync, what the connector discovered last.
const discoveredFile = ".discovered.json"

// discovery is a catalog, and what it was discovered with.
type discovery struct {
	Key     string          `json:"key"` // of connector, configuration and environment
	At      time.Time       `json:"at"`
	Catalog json.RawMessage `json:"catalog"`
}

// catalogs is the memory of what a connector discovered. Without a key it remembers nothing, but what there was.
type catalogs struct {
	path  string
	key   string
	watch Watch
}

// identify tells the build of the task's connector from another one; empty when that cannot be told.
func identify(ctx context.Context, engine Engine, task Task, watch Watch) (string, error) {
	identifier, able := engine.(Identifier)
	if !able {
		return "", nil
	}
	connector, err := identifier.Identify(ctx, task, watch)
	return connector, failed(sidecar.ExitEnvironment, err)
}

// catalogsOf is the memory of a task with the configuration that the caller gave: one that the connector changed is as good.
func catalogsOf(task Task, connector string, given []byte, watch Watch) catalogs {
	memory := catalogs{path: filepath.Join(task.Folder(), discoveredFile), watch: watch}
	if connector != "" {
		memory.key = digest(connector, string(given), task.ConnectorEnv)
	}
	return memory
}

// digest is a key of what a memory depends on.
func digest(parts ...any) string {
	hash := sha256.New()
	if err := json.NewEncoder(hash).Encode(parts); err != nil { // cannot be: texts
		return ""
	}
	return hex.EncodeToString(hash.Sum(nil))
}

// last is what was discovered last, with whatever; the zero value when that is not known. A damaged memory is none.
func (c catalogs) last() (known discovery) {
	content, err := os.ReadFile(c.path)
	if err != nil || json.Unmarshal(content, &known) != nil || len(known.Catalog) == 0 {
		return discovery{}
	}
	return known
}

// recall is the configured catalog that a selection makes of what is remembered; nil when the connector has to be asked: by the user's wish, after a
// change of connector or configuration, when it is too long ago, or for a stream that it did not have then.
func (c catalogs) recall(selection Selection) json.RawMessage {
	known := c.last()
	age := time.Since(known.At)
	if selection.Discover || c.key == "" || known.Key != c.key || age < 0 || age >= selection.CatalogAge {
		return nil
	}
	catalog, notes, err := Configure(known.Catalog, selection)
	if err != nil {
		return nil
	}
	c.watch.Event(Note("INFO", fmt.Sprintf("reading the streams that were discovered %s ago (--discover asks again)", age.Round(time.Second))))
	for _, note := range notes {
		c.watch.Event(Note("WARN", note))
	}
	return catalog
}

// keep remembers what was discovered, and says which streams are gone, and which are new.
func (c catalogs) keep(catalog json.RawMessage) error {
	c.compare(c.last().Catalog, catalog)
	if c.key == "" {
		return nil
	}
	content, err := json.Marshal(discovery{Key: c.key, At: time.Now().UTC(), Catalog: catalog})
	if err != nil {
		return fmt.Errorf("remember the discovered streams: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(c.path), 0o755); err != nil {
		return fmt.Errorf("make --local-dir: %w", err)
	}
	// The key is made of secrets, too.
	if err := atomicfile.Replace(c.path, content, 0o600); err != nil {
		return fmt.Errorf("remember the discovered streams: %w", err)
	}
	return nil
}

// forget lets the next read ask the connector again.
func (c catalogs) forget() error {
	if err := os.Remove(c.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("forget the discovered streams: %w", err)
	}
	return nil
}

// compare says how the streams of a source have changed.
func (c catalogs) compare(before, after json.RawMessage) {
	var old, now airbyte.Catalog
	if json.Unmarshal(before, &old) != nil || json.Unmarshal(after, &now) != nil {
		return // there is nothing to compare; a damaged catalog is told of by who uses it
	}
	has := func(catalog airbyte.Catalog, stream airbyte.Stream) bool {
		return slices.ContainsFunc(catalog.Streams, func(s airbyte.Stream) bool { return s.Descriptor() == stream.Descriptor() })
	}
	for _, stream := range old.Streams {
		if !has(now, stream) {
			c.watch.Event(Note("WARN", fmt.Sprintf("stream %q is no longer among those that the source has: what was read of it stays", stream.Descriptor())))
		}
	}
	for _, stream := range now.Streams {
		if len(before) > 0 && !has(old, stream) {
			c.watch.Event(Note("INFO", fmt.Sprintf("stream %q is new", stream.Descriptor())))
		}
	}
}
