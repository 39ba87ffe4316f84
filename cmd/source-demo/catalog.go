package main

import (
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// catalog is the answer to discover.
type catalog struct {
	Streams []catalogStream `json:"streams"`
}

type catalogStream struct {
	Name                    string          `json:"name"`
	Namespace               string          `json:"namespace,omitempty"`
	JSONSchema              json.RawMessage `json:"json_schema"`
	SupportedSyncModes      []string        `json:"supported_sync_modes"`
	SourceDefinedCursor     bool            `json:"source_defined_cursor"`
	DefaultCursorField      []string        `json:"default_cursor_field"`
	SourceDefinedPrimaryKey [][]string      `json:"source_defined_primary_key"`
	IsResumable             bool            `json:"is_resumable"`
}

//go:embed schemas
var schemaFiles embed.FS

// The sync modes of a source.
const (
	fullRefresh = "full_refresh"
	incremental = "incremental"
)

// The fields that an incremental read can follow.
const (
	cursorUpdatedAt = "updated_at"
	cursorID        = "id"
)

// stream is one stream that the source has.
type stream struct {
	name  string
	kind  kind
	shard uint64 // tells streams of one kind apart
	count int64
}

// streams is what a configured source has.
func (c *Config) streams() []stream {
	productRows := c.Count / 10
	customerRows := c.Count * 3 / 10
	orderRows := c.Count - productRows - customerRows
	shards := c.Streams - 2
	var all []stream
	for n, name := range c.streamNames() {
		one := stream{name: name, kind: kind(min(n, int(orders)))}
		switch one.kind {
		case customers:
			one.count = customerRows
		case products:
			one.count = productRows
		case orders:
			one.shard = uint64(n) << 32
			one.count = orderRows / shards
			if int64(n)-2 < orderRows%shards {
				one.count++
			}
		}
		if count, given := c.Counts[name]; given {
			one.count = count
		}
		all = append(all, one)
	}
	return all
}

// catalog describes the streams.
func (c *Config) catalog() (*catalog, error) {
	schemas := map[kind]json.RawMessage{}
	for k, name := range map[kind]string{customers: "customers", products: "products", orders: "orders"} {
		file, err := schemaFiles.ReadFile("schemas/" + name + ".json")
		if err != nil {
			return nil, fmt.Errorf("read own schema: %w", err)
		}
		schemas[k] = c.Faults.declareFaults(file)
	}
	all := &catalog{}
	for _, s := range c.streams() {
		all.Streams = append(all.Streams, catalogStream{
			Name: s.name, Namespace: c.Namespace, JSONSchema: schemas[s.kind], SupportedSyncModes: []string{fullRefresh, incremental},
			DefaultCursorField: []string{cursorUpdatedAt}, SourceDefinedPrimaryKey: [][]string{{"id"}}, IsResumable: c.Resumable,
		})
	}
	all.deviate(c.Faults.Deviation)
	return all, nil
}

// configuredStream is one stream of the --catalog input.
type configuredStream struct {
	Stream struct {
		Name      *string `json:"name"`
		Namespace string  `json:"namespace"`
	} `json:"stream"`
	SyncMode            string   `json:"sync_mode"`
	DestinationSyncMode string   `json:"destination_sync_mode"`
	CursorField         []string `json:"cursor_field"`
}

// loadCatalog reads a configured catalog; with the deviation catalog_cursor it takes any cursor for the default one. Errors name the stream and the
// field.
func loadCatalog(path, deviation string) ([]configuredStream, error) {
	raw, err := readObject("catalog", path)
	if err != nil {
		return nil, err
	}
	var configured struct {
		Streams []configuredStream `json:"streams"`
	}
	if err := json.Unmarshal(raw, &configured); err != nil {
		if wrong := (*json.UnmarshalTypeError)(nil); errors.As(err, &wrong) {
			return nil, fmt.Errorf("catalog %s: %s: %s is expected, not %s", path, wrong.Field, wrong.Type, wrong.Value)
		}
		return nil, fmt.Errorf("catalog %s: %w", path, err)
	}
	if configured.Streams == nil {
		return nil, fmt.Errorf("catalog %s: streams: an array is expected", path)
	}
	for n := range configured.Streams {
		if deviation == "catalog_cursor" {
			configured.Streams[n].CursorField = nil
		}
		if err := configured.Streams[n].validate(); err != nil {
			return nil, fmt.Errorf("catalog %s: streams[%d].%w", path, n, err)
		}
	}
	return configured.Streams, nil
}

// validate checks one stream and fills in its defaults.
func (c *configuredStream) validate() error {
	if c.Stream.Name == nil {
		return errors.New("stream.name: is missing")
	}
	if c.SyncMode == "" {
		c.SyncMode = fullRefresh
	}
	if c.SyncMode != fullRefresh && c.SyncMode != incremental {
		return fmt.Errorf("sync_mode: %q is not one of full_refresh, incremental (stream %q)", c.SyncMode, *c.Stream.Name)
	}
	if mode := c.DestinationSyncMode; mode != "" && !slices.Contains([]string{"append", "overwrite", "append_dedup"}, mode) {
		return fmt.Errorf("destination_sync_mode: %q is not one of append, overwrite, append_dedup (stream %q)", mode, *c.Stream.Name)
	}
	if len(c.CursorField) == 0 {
		c.CursorField = []string{cursorUpdatedAt}
	}
	cursor := strings.Join(c.CursorField, ".")
	if c.SyncMode == incremental && cursor != cursorUpdatedAt && cursor != cursorID {
		return fmt.Errorf("cursor_field: %q is not one of updated_at, id (stream %q)", cursor, *c.Stream.Name)
	}
	return nil
}
