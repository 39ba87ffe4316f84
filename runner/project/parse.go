package project

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"sync-sidecar/runner"
)

// parser goes through a file, and collects what is wrong with it.
type parser struct {
	name     string
	known    []Option
	problems []error
}

// note says what is wrong with a node.
func (p *parser) note(node *yaml.Node, format string, args ...any) {
	p.problems = append(p.problems, fmt.Errorf("%s:%d: %s", p.name, node.Line, fmt.Sprintf(format, args...)))
}

// members visits the members of an object.
func (p *parser) members(node *yaml.Node, visit func(key, value *yaml.Node)) {
	node = aliased(node)
	if node.Kind != yaml.MappingNode {
		p.note(node, "an object (NAME: VALUE) belongs here")
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key := node.Content[i]
		switch {
		case key.Kind != yaml.ScalarNode:
			p.note(key, "a key is no text")
		case seen[key.Value]:
			p.note(key, "%q is there twice", key.Value)
		default:
			seen[key.Value] = true
			visit(key, aliased(node.Content[i+1]))
		}
	}
}

// aliased is what an alias stands for.
func aliased(node *yaml.Node) *yaml.Node {
	for node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	return node
}

// reserved are names that mean something else in `run NAME`.
func reserved() []string { return []string{"spec", "check", "discover", "read", "help", "h"} }

// checkName says what keeps a sync from having a name.
func (p *parser) checkName(key *yaml.Node) {
	switch {
	case slices.Contains(reserved(), key.Value):
		p.note(key, "a sync cannot be called %q, which is a command of run", key.Value)
	case !namePattern.MatchString(key.Value):
		p.note(key, "a sync cannot be called %q: use letters, digits, '.', '_' and '-', at most 100, beginning with a letter or digit", key.Value)
	}
}

// values are the options of a sync, or the defaults.
func (p *parser) values(node *yaml.Node) []Value {
	var values []Value
	p.members(node, func(key, node *yaml.Node) {
		at := slices.IndexFunc(p.known, func(option Option) bool { return option.Name == key.Value })
		if at < 0 {
			p.unknown(key)
			return
		}
		value := Value{Option: p.known[at], Where: fmt.Sprintf("%s:%d: %s", p.name, key.Line, key.Value)}
		if p.read(&value, node) {
			values = append(values, value)
		}
	})
	return values
}

// unknown says that there is no such option.
func (p *parser) unknown(key *yaml.Node) {
	if key.Value == "sync-id" {
		p.note(key, "sync-id: the name of a sync is its sync-id")
		return
	}
	names := make([]string, len(p.known))
	for i, option := range p.known {
		names[i] = option.Name
	}
	p.note(key, "%q is no option of a sync%s", key.Value, suggest(key.Value, names, "; they are the flags of `sync-sidecar run read --help-all`"))
}

// read takes what is said of an option. False when that is wrong.
func (p *parser) read(value *Value, node *yaml.Node) bool {
	switch {
	case node.Kind == yaml.ScalarNode && node.Tag == "!!null" && value.Kind == Document: // all of it is commented out
		value.Document = []byte("{}")
		return true
	case node.Kind == yaml.ScalarNode && node.Tag == "!!null":
		p.note(node, "%s has no value", value.Name)
		return false
	case node.Kind == yaml.ScalarNode && value.Kind == Document && isContent(node):
		return p.content(value, node)
	case node.Kind == yaml.ScalarNode:
		value.Texts = []string{node.Value}
		if value.Kind == Switch && node.Tag == "!!bool" {
			value.Texts[0] = map[bool]string{true: "true", false: "false"}[node.Value[0]|0x20 == 't']
		}
		if !value.Kind.takes(value.Texts[0]) && !strings.Contains(node.Value, "${") { // which Resolve fills in
			p.note(node, "%s: %s", value.Name, value.Kind.wants(node.Value))
			return false
		}
		return true
	case value.Kind == Document:
		document, err := runner.NodeJSON(p.name, node)
		if err != nil {
			p.problems = append(p.problems, err)
			return false
		}
		value.Document = document
		return true
	case node.Kind == yaml.SequenceNode && (value.Kind == List || value.Kind == Pairs):
		return p.list(value, node)
	case node.Kind == yaml.MappingNode && value.Kind == Pairs:
		return p.pairs(value, node)
	}
	p.note(node, "%s: %s belongs here", value.Name, value.Kind)
	return false
}

// isContent says that a text is no name of a file, but what would be in it.
func isContent(node *yaml.Node) bool {
	begin := strings.TrimSpace(node.Value)
	return strings.HasPrefix(begin, "{") || strings.HasPrefix(begin, "[") || strings.Contains(begin, "\n") ||
		node.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0
}

// content takes a Document that is written out in a text, as one that is written out in the file: its ${NAME} are filled in where it is JSON already,
// so that a quote in a value breaks nothing.
func (p *parser) content(value *Value, node *yaml.Node) bool {
	if value.Document = json.RawMessage(node.Value); json.Valid(value.Document) {
		return true
	}
	document, err := runner.FromYAML(value.Where, value.Document)
	if err != nil {
		p.problems = append(p.problems, err)
	}
	value.Document = document
	return err == nil
}

// list takes a list of texts.
func (p *parser) list(value *Value, node *yaml.Node) bool {
	for _, item := range node.Content {
		if item = aliased(item); item.Kind != yaml.ScalarNode || item.Tag == "!!null" {
			p.note(item, "%s: a text belongs here", value.Name)
			return false
		}
		value.Texts = append(value.Texts, item.Value)
	}
	return true
}

// pairs takes an object as NAME=VALUE; a NAME without a value is alone.
func (p *parser) pairs(value *Value, node *yaml.Node) bool {
	before := len(p.problems)
	p.members(node, func(key, item *yaml.Node) {
		switch {
		case item.Kind != yaml.ScalarNode:
			p.note(item, "%s: a text belongs here", value.Name)
		case item.Tag == "!!null":
			value.Texts = append(value.Texts, key.Value)
		default:
			value.Texts = append(value.Texts, key.Value+"="+item.Value)
		}
	})
	return len(p.problems) == before
}
