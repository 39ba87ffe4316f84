package airbyte

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
)

// ParseCatalog reads a discovered catalog. Every stream must have a name, which may be empty, and no two streams may share namespace and name.
// Unknown members are ignored. The error names the stream and the member.
func ParseCatalog(raw []byte) (Catalog, error) {
	entries, err := catalogStreams(raw)
	if err != nil {
		return Catalog{}, err
	}
	catalog := Catalog{Streams: make([]Stream, 0, len(entries))}
	seen := make(map[StreamDescriptor]int)
	for i, entry := range entries {
		stream, err := parseStream(entry)
		if err != nil {
			return Catalog{}, fmt.Errorf("catalog stream %d%s: %w", i, label(stream.Name), err)
		}
		if err := unique(seen, stream, i); err != nil {
			return Catalog{}, err
		}
		catalog.Streams = append(catalog.Streams, stream)
	}
	return catalog, nil
}

// ParseConfiguredCatalog reads a --catalog file by the rules of ParseCatalog. An absent mode becomes the protocol's default: full_refresh, append.
func ParseConfiguredCatalog(raw []byte) (ConfiguredCatalog, error) {
	entries, err := catalogStreams(raw)
	if err != nil {
		return ConfiguredCatalog{}, err
	}
	catalog := ConfiguredCatalog{Streams: make([]ConfiguredStream, 0, len(entries))}
	seen := make(map[StreamDescriptor]int)
	for i, entry := range entries {
		configured, err := parseConfigured(entry)
		if err != nil {
			return ConfiguredCatalog{}, fmt.Errorf("catalog stream %d%s: %w", i, label(configured.Stream.Name), err)
		}
		if err := unique(seen, configured.Stream, i); err != nil {
			return ConfiguredCatalog{}, err
		}
		catalog.Streams = append(catalog.Streams, configured)
	}
	return catalog, nil
}

// catalogStreams returns the elements of `streams`, not yet decoded.
func catalogStreams(raw []byte) ([]json.RawMessage, error) {
	var catalog struct {
		Streams *[]json.RawMessage `json:"streams"`
	}
	if err := json.Unmarshal(raw, &catalog); err != nil {
		return nil, fmt.Errorf("catalog: %w", field(located(raw, err)))
	}
	if catalog.Streams == nil {
		return nil, errors.New("catalog has no streams: a configured catalog is {\"streams\":[{\"stream\":…,\"sync_mode\":…}]}")
	}
	return *catalog.Streams, nil
}

// parseConfigured reads one configured stream. Beside an error it returns what it read so far, so that the caller can name the stream.
func parseConfigured(raw json.RawMessage) (ConfiguredStream, error) {
	type plain ConfiguredStream
	var entry struct {
		plain
		Stream json.RawMessage `json:"stream"`
	}
	unmarshalErr := json.Unmarshal(raw, &entry)
	configured := ConfiguredStream(entry.plain)
	if len(entry.Stream) == 0 || string(entry.Stream) == "null" {
		if unmarshalErr != nil {
			return configured, field(unmarshalErr)
		}
		return configured, errors.New("stream is missing (is this a discovered catalog rather than a configured one?)")
	}
	var err error
	if configured.Stream, err = parseStream(entry.Stream); err != nil {
		return configured, fmt.Errorf("stream: %w", err)
	}
	if unmarshalErr != nil {
		return configured, field(unmarshalErr)
	}
	if configured.SyncMode == "" {
		configured.SyncMode = FullRefresh
	}
	if configured.DestinationSyncMode == "" {
		configured.DestinationSyncMode = Append
	}
	if configured.SyncMode != FullRefresh && configured.SyncMode != Incremental {
		return configured, fmt.Errorf("sync_mode %q is neither %s nor %s", configured.SyncMode, FullRefresh, Incremental)
	}
	return configured, nil
}

// parseStream reads one stream. Beside an error it returns what it read so far, so that the caller can name the stream.
func parseStream(raw json.RawMessage) (Stream, error) {
	type plain Stream
	var entry struct {
		plain
		Name *string `json:"name"`
	}
	err := json.Unmarshal(raw, &entry)
	stream := Stream(entry.plain)
	if entry.Name != nil {
		stream.Name = *entry.Name
	}
	if err != nil {
		return stream, field(err)
	}
	if entry.Name == nil {
		return stream, errors.New("name is missing")
	}
	return stream, nil
}

// field rewords encoding/json's error about a value of the wrong kind: it names the member, and kinds of JSON instead of types of Go.
func field(err error) error {
	wrong, ok := errors.AsType[*json.UnmarshalTypeError](err)
	if !ok {
		return err
	}
	want := "an object"
	switch wrong.Type.Kind() {
	case reflect.String:
		want = "a string"
	case reflect.Bool:
		want = "true or false"
	case reflect.Int64:
		want = "a whole number"
	case reflect.Slice:
		want = "an array"
	}
	path := strings.TrimPrefix(strings.TrimPrefix(wrong.Field, "plain"), ".")
	if path == "" {
		return fmt.Errorf("is a JSON %s, want %s", wrong.Value, want)
	}
	return fmt.Errorf("%s is a JSON %s, want %s", path, wrong.Value, want)
}

// located adds line and column, both from 1, to a syntax error in a file.
func located(file []byte, err error) error {
	wrong, ok := errors.AsType[*json.SyntaxError](err)
	if !ok {
		return err
	}
	before := file[:max(0, min(int(wrong.Offset), len(file))-1)] // the offset includes the wrong byte
	line, column := 1+bytes.Count(before, []byte("\n")), len(before)-bytes.LastIndexByte(before, '\n')
	return fmt.Errorf("line %d, column %d: %w", line, column, err)
}

// unique returns an error when an earlier stream has the namespace and name of this one, stream i.
func unique(seen map[StreamDescriptor]int, stream Stream, i int) error {
	if first, twice := seen[stream.Descriptor()]; twice {
		return fmt.Errorf("catalog stream %d%s: same namespace and name as stream %d", i, label(stream.Name), first)
	}
	seen[stream.Descriptor()] = i
	return nil
}

// label names a stream beside its index; empty when it has no name.
func label(name string) string {
	if name == "" {
		return ""
	}
	return fmt.Sprintf(" (%q)", name)
}
