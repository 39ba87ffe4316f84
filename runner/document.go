package runner

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"sync-sidecar/sidecar/airbyte"
)

// CheckJSON says where a document is not JSON, as `name:line:column: what`; name is the file. The text of the document is never part of the
// error: it may be secret.
func CheckJSON(name string, document []byte) error {
	var value json.RawMessage // any would refuse numbers beyond float64
	err := json.Unmarshal(document, &value)
	if err == nil {
		return nil
	}
	offset := len(document)
	if syntax := (*json.SyntaxError)(nil); errors.As(err, &syntax) {
		offset = int(syntax.Offset)
	}
	line, column := position(document, offset)
	return fmt.Errorf("%s:%d:%d: not valid JSON: %w", name, line, column, err)
}

// CheckObject is CheckJSON for a document that has to be an object.
func CheckObject(name string, document []byte) error {
	if err := CheckJSON(name, document); err != nil {
		return err
	}
	if trimmed := bytes.TrimSpace(document); trimmed[0] != '{' {
		return fmt.Errorf("%s: must be a JSON object", name)
	}
	return nil
}

// CheckCatalog is CheckObject for a configured catalog: it names what discover's answer lacks, since that is what people pass by mistake.
func CheckCatalog(name string, document []byte) error {
	if err := CheckObject(name, document); err != nil {
		return err
	}
	var catalog struct {
		Streams []struct {
			Stream *struct {
				Name *string `json:"name"`
			} `json:"stream"`
			Name *string `json:"name"`
		} `json:"streams"`
	}
	if err := json.Unmarshal(document, &catalog); err != nil {
		return fmt.Errorf("%s: not a configured catalog: %w", name, err)
	}
	if len(catalog.Streams) == 0 {
		return fmt.Errorf(`%s: not a configured catalog: "streams" is missing or empty`, name)
	}
	for i, stream := range catalog.Streams {
		switch {
		case stream.Stream == nil && stream.Name != nil:
			return fmt.Errorf("%s: streams[%d] is as discover prints it, not configured: leave --catalog out to read all streams, or use --streams", name, i)
		case stream.Stream == nil || stream.Stream.Name == nil:
			return fmt.Errorf(`%s: streams[%d] lacks "stream" with a "name"`, name, i)
		}
	}
	if _, err := airbyte.ParseConfiguredCatalog(document); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// CheckState is CheckJSON for a state to start from.
func CheckState(name string, document []byte) error {
	if err := CheckJSON(name, document); err != nil {
		return err
	}
	if _, err := airbyte.ParseStateFile(document); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if other := otherThanState(document); other != "" {
		return fmt.Errorf("%s: is %s, and no state", name, other)
	}
	return nil
}

// otherThanState says what an object is that would pass for the data of a LEGACY state, which may be any, and surely is none; empty when it may be
// one.
func otherThanState(document []byte) string {
	var object map[string]json.RawMessage
	var kind string
	if json.Unmarshal(document, &object) != nil {
		return ""
	}
	if json.Unmarshal(object["type"], &kind) == nil {
		members := map[airbyte.Type]string{airbyte.TypeRecord: "record", airbyte.TypeLog: "log", airbyte.TypeSpec: "spec", airbyte.TypeCatalog: "catalog",
			airbyte.TypeConnectionStatus: "connectionStatus", airbyte.TypeTrace: "trace", airbyte.TypeControl: "control"}
		if member, known := members[airbyte.Type(kind)]; known && object[member] != nil {
			return "a " + kind + " message"
		}
		if airbyte.Type(kind) == airbyte.TypeState && len(object["state"]) <= len("null") {
			return "a STATE message without its state"
		}
	}
	var streams []struct {
		Stream     json.RawMessage `json:"stream"`
		JSONSchema json.RawMessage `json:"json_schema"`
	}
	if json.Unmarshal(object["streams"], &streams) == nil && len(streams) > 0 && (streams[0].Stream != nil || streams[0].JSONSchema != nil) {
		return "a catalog"
	}
	return ""
}

// position turns an offset (the number of bytes read when the error was noticed) into a line and a column, both from 1.
func position(document []byte, offset int) (line, column int) {
	before := document[:max(0, min(offset, len(document))-1)]
	line = 1 + bytes.Count(before, []byte("\n"))
	return line, 1 + len(before) - (bytes.LastIndexByte(before, '\n') + 1)
}

var placeholder = regexp.MustCompile(`\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)\}`)

// Expand replaces ${NAME} inside the strings of a JSON document by variables, so that a config file needs to hold no secret; $${ stands for ${.
// All names that lookup does not know are in the error.
func Expand(name string, document []byte, lookup func(string) (string, bool)) ([]byte, error) {
	if !bytes.Contains(document, []byte("${")) {
		return document, nil
	}
	decoder := json.NewDecoder(bytes.NewReader(document))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	var missing []string
	value = expandValue(value, func(variable string) string {
		found, ok := lookup(variable)
		if !ok {
			missing = append(missing, variable)
		}
		return found
	})
	if len(missing) > 0 {
		return nil, fmt.Errorf("%s: not set in the environment: %s (write $${ for a literal ${)", name, strings.Join(missing, ", "))
	}
	expanded, err := json.Marshal(value)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return expanded, nil
}

// expandValue expands the strings in a decoded JSON value; keys stay as they are.
func expandValue(value any, variable func(string) string) any {
	switch value := value.(type) {
	case string:
		return placeholder.ReplaceAllStringFunc(value, func(match string) string {
			if match == "$${" {
				return "${"
			}
			return variable(match[2 : len(match)-1])
		})
	case []any:
		for i := range value {
			value[i] = expandValue(value[i], variable)
		}
	case map[string]any:
		for key := range value {
			value[key] = expandValue(value[key], variable)
		}
	}
	return value
}
