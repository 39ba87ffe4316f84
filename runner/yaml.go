package runner

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxYAMLNodes ends documents whose aliases grow without end.
const maxYAMLNodes = 100_000

// textual are numbers of YAML 1.1 alone, which mean something else than people who write them: 01234 is a postal code, and 10_000 or 0b1 a name.
var textual = regexp.MustCompile(`^[-+]?0[0-9_]|_|^[-+]?0[bB]`)

// FromYAML is a YAML document as JSON; name is the file. What looks like a date, a version, a postal code (01234) or a `no` without quotes stays the
// text that it is: YAML 1.2 knows numbers, true, false and null. The text of the document is never part of the error: it may be secret.
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
	if err := mergeKeys(&root, map[*yaml.Node]bool{}); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return &root, nil
}

// mergeKeys puts the members that << takes from elsewhere into each object (https://yaml.org/type/merge.html): its own come first, then those of the
// first object that has them. seen are the nodes that were looked at.
func mergeKeys(node *yaml.Node, seen map[*yaml.Node]bool) error {
	if node == nil || seen[node] {
		return nil
	}
	seen[node] = true
	if err := mergeKeys(node.Alias, seen); err != nil {
		return err
	}
	for _, part := range node.Content {
		if err := mergeKeys(part, seen); err != nil {
			return err
		}
	}
	if node.Kind != yaml.MappingNode {
		return nil
	}
	var own, others []*yaml.Node
	for i := 0; i+1 < len(node.Content); i += 2 {
		if node.Content[i].Tag != "!!merge" {
			own = append(own, node.Content[i], node.Content[i+1])
			continue
		}
		from, err := mergedObjects(node.Content[i+1])
		if err != nil {
			return err
		}
		others = append(others, from...)
	}
	for _, other := range others {
		for i := 0; i+1 < len(other.Content); i += 2 {
			if key := other.Content[i]; !hasKey(own, key.Value) {
				own = append(own, key, other.Content[i+1])
			}
		}
	}
	node.Content = own
	return nil
}

// mergedObjects are those that the value of << stands for: one, or a list.
func mergedObjects(value *yaml.Node) ([]*yaml.Node, error) {
	for value.Kind == yaml.AliasNode {
		value = value.Alias
	}
	switch value.Kind {
	case yaml.MappingNode:
		return []*yaml.Node{value}, nil
	case yaml.SequenceNode:
		var all []*yaml.Node
		for _, item := range value.Content {
			if item.Kind == yaml.AliasNode {
				item = item.Alias
			}
			if item.Kind != yaml.MappingNode {
				return nil, fmt.Errorf("line %d: << takes objects", item.Line)
			}
			all = append(all, item)
		}
		return all, nil
	}
	return nil, fmt.Errorf("line %d: << takes an object, or a list of them", value.Line)
}

// hasKey says that a key is among members.
func hasKey(members []*yaml.Node, name string) bool {
	for i := 0; i < len(members); i += 2 {
		if members[i].Value == name {
			return true
		}
	}
	return false
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
		if textual.MatchString(node.Value) {
			return node.Value, nil
		}
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
