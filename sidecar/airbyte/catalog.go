package airbyte

import (
	"encoding/json"
	"slices"
)

// SyncMode is how a source reads a stream.
type SyncMode string

// DestinationSyncMode is what happens to the rows that the destination already has.
type DestinationSyncMode string

// The modes that a source understands: the platform sends it no others.
const (
	FullRefresh SyncMode = "full_refresh"
	Incremental SyncMode = "incremental"

	Append      DestinationSyncMode = "append"
	Overwrite   DestinationSyncMode = "overwrite"
	AppendDedup DestinationSyncMode = "append_dedup"
)

// Stream is an AirbyteStream of a discovered catalog.
type Stream struct {
	Name                    string          `json:"name"`
	Namespace               string          `json:"namespace,omitempty"`
	JSONSchema              json.RawMessage `json:"json_schema"`
	SupportedSyncModes      []SyncMode      `json:"supported_sync_modes,omitempty"`
	SourceDefinedCursor     bool            `json:"source_defined_cursor,omitempty"`
	DefaultCursorField      []string        `json:"default_cursor_field,omitempty"`
	SourceDefinedPrimaryKey [][]string      `json:"source_defined_primary_key,omitempty"`
	IsResumable             *bool           `json:"is_resumable,omitempty"`
	// IsFileBased says that the stream describes files. The source sends the files too when ConfiguredStream.IncludeFiles asks for them.
	IsFileBased bool `json:"is_file_based,omitempty"`
	// TableName is the table that the user chose for this stream: an extension of Jitsu's console.
	TableName string `json:"table_name,omitempty"`
	// TableNameTemplate is what the source would call the table, where the stream's name is none: an extension of Jitsu's own connectors.
	TableNameTemplate string `json:"table_name_template,omitempty"`
}

// Descriptor names the stream.
func (s Stream) Descriptor() StreamDescriptor {
	return StreamDescriptor{Name: s.Name, Namespace: s.Namespace}
}

// Catalog is the answer to discover.
type Catalog struct {
	Streams []Stream `json:"streams"`
}

// ConfiguredStream is one stream of the --catalog input.
type ConfiguredStream struct {
	Stream              Stream              `json:"stream"`
	SyncMode            SyncMode            `json:"sync_mode"`
	DestinationSyncMode DestinationSyncMode `json:"destination_sync_mode"`
	CursorField         []string            `json:"cursor_field,omitempty"`
	PrimaryKey          [][]string          `json:"primary_key,omitempty"`
	GenerationID        *int64              `json:"generation_id,omitempty"`
	MinimumGenerationID *int64              `json:"minimum_generation_id,omitempty"`
	SyncID              *int64              `json:"sync_id,omitempty"`
	// IncludeFiles asks a file-based stream for the files beside their metadata: then its records have a file (Record.File).
	IncludeFiles bool `json:"include_files,omitempty"`
}

// Key is the primary key as paths into a row: the configured one, else the one that the source defines. Empty paths and repeats are left out, and a
// configured key of only those is none: every destination merges by the same columns.
func (s ConfiguredStream) Key() [][]string {
	for _, paths := range [][][]string{s.PrimaryKey, s.Stream.SourceDefinedPrimaryKey} {
		var key [][]string
		for _, path := range paths {
			repeated := slices.ContainsFunc(key, func(other []string) bool { return slices.Equal(other, path) })
			if len(path) > 0 && !repeated {
				key = append(key, path)
			}
		}
		if len(key) > 0 {
			return key
		}
	}
	return nil
}

// Cursor is the path of the field whose value grows with each version of a row: the configured one, else the source's default.
func (s ConfiguredStream) Cursor() []string {
	if len(s.CursorField) > 0 {
		return s.CursorField
	}
	return s.Stream.DefaultCursorField
}

// ConfiguredCatalog is the --catalog input of read.
type ConfiguredCatalog struct {
	Streams []ConfiguredStream `json:"streams"`
}
