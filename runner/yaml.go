package runner

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxYAMLNodes ends documents whose aliases grow without end.
const maxYAMLNodes = 100_000

// FromYAML is a YAML document as JSON; name is the file. What looks like a date, a version or a `no` without quotes stays the text that it is:
// YAML 1.2 knows numbers, true, false and null. The text of the document is never part of the error: it may be secret.
func FromYAML(name string, document []byte) ([]byte, error) {
	root, err := ParseYAML(name, document)
	if err != nil {
		return nil, err
	}
	if root.Kind == 0 {
		if len(bytes.TrimSpace(document)) == 0 {
			return nil, fmt.Errorf("%s: is empty", name)
		}
		return []byte("{}"), nil // all of it is commented out
	}
	return NodeJSON(name, root)
}

// ParseYAML reads the one document of a YAML file; its Kind is 0 when nothing is in it. What stands after a further --- would be lost silently, so
// that it is an error.
func ParseYAML(name string, document []byte) (*yaml.Node, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(document))
	var root, further yaml.Node
	err := decoder.Decode(&root)
	if err == nil {
		err = decoder.Decode(&further)
	}
	switch {
	case err != nil && !errors.Is(err, io.EOF):
		return nil, fmt.Errorf("%s: not valid YAML: %s", name, strings.TrimPrefix(err.Error(), "yaml: "))
	case further.Kind != 0 && further.Content[0].Tag != "!!null":
		return nil, fmt.Errorf("%s: line %d: a second document begins, and there can only be one: take the --- out", name, further.Line)
	}
	return &root, nil
}

// NodeJSON is FromYAML for a part of a document.
func NodeJSON(name string, node *yaml.Node) ([]byte, error) {
	left := maxYAMLNodes
	value, err := fromYAML(node, &left)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return json.Marshal(value)
}

// fromYAML is a node as a value for encoding/json; left counts down the nodes that it may still have.
func fromYAML(node *yaml.Node, left *int) (any, error) {
	if *left--; *left < 0 {
		return nil, fmt.Errorf("it has more than %d values: does an alias hold itself?", maxYAMLNodes)
	}
	switch node.Kind {
	case yaml.DocumentNode:
		return fromYAML(node.Content[0], left)
	case yaml.AliasNode:
		return fromYAML(node.Alias, left)
	case yaml.SequenceNode:
		list := make([]any, 0, len(node.Content))
		for _, item := range node.Content {
			value, err := fromYAML(item, left)
			if err != nil {
				return nil, err
			}
			list = append(list, value)
		}
		return list, nil
	case yaml.MappingNode:
		return yamlObject(node, left)
	default:
		return yamlScalar(node)
	}
}

func yamlObject(node *yaml.Node, left *int) (any, error) {
	object := make(map[string]any, len(node.Content)/2)
	for i := 0; i < len(node.Content); i += 2 {
		key := node.Content[i]
		switch _, twice := object[key.Value]; {
		case key.Kind != yaml.ScalarNode:
			return nil, fmt.Errorf("line %d: a key is no text", key.Line)
		case key.Tag == "!!merge":
			return nil, fmt.Errorf("line %d: << is not supported: write the members out", key.Line)
		case twice:
			return nil, fmt.Errorf("line %d: a key is there twice", key.Line)
		}
		value, err := fromYAML(node.Content[i+1], left)
		if err != nil {
			return nil, err
		}
		object[key.Value] = value
	}
	return object, nil
}

// yamlScalar is a text, a number, true, false or null.
func yamlScalar(node *yaml.Node) (any, error) {
	switch node.Tag {
	case "!!null":
		return nil, nil
	case "!!bool":
		return strings.EqualFold(node.Value, "true"), nil
	case "!!int", "!!float":
		if json.Valid([]byte(node.Value)) { // as it is written: 1.50, and integers of any length
			return json.Number(node.Value), nil
		}
		var number any
		if err := node.Decode(&number); err != nil {
			return nil, fmt.Errorf("line %d: a number cannot be read", node.Line)
		}
		if _, err := json.Marshal(number); err != nil {
			return nil, fmt.Errorf("line %d: JSON has no such number", node.Line)
		}
		return number, nil
	case "!!str", "!!timestamp":
		return node.Value, nil
	}
	return nil, errors.New("line " + fmt.Sprint(node.Line) + ": a value of a kind that JSON does not have: " + node.Tag)
}
