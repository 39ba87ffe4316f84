package secret

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
)

// FromConfig returns the secret values of a connector's config, sorted: what stands at the airbyte_secret paths of the spec
// (the ConnectorSpecification object, its SPEC message, or the bare connectionSpecification schema), what stands under names that mean secrets,
// and the passwords of URLs. Of oneOf and its like every branch counts, since which one applies does not matter to a secret. A config or spec
// that is no JSON, or nil, gives what can be had of the other.
func FromConfig(config, spec []byte) []string {
	value, ok := decode(config)
	if !ok {
		return nil
	}
	f := &finder{found: make(map[string]struct{})}
	f.byName(value, false)
	if root, ok := decode(spec); ok {
		f.root = schemaOf(root)
		f.bySchema(value, f.root, maxSchemaDepth)
	}
	return slices.Sorted(maps.Keys(f.found))
}

// FromEnv returns the secret values of an environment (KEY=VALUE, as os.Environ), sorted: what stands under names that mean secrets, with the secrets
// that it consists of, and the passwords of URLs.
func FromEnv(environ []string) []string {
	f := &finder{found: make(map[string]struct{})}
	for _, pair := range environ {
		// The shell's working directory is no password.
		if name, value, ok := strings.Cut(pair, "="); ok && name != "PWD" {
			f.byName(value, IsName(name))
		}
	}
	return slices.Sorted(maps.Keys(f.found))
}

// FromTexts returns every text and number of a JSON document, sorted: a list of secrets, or an object of them by any name.
func FromTexts(document []byte) ([]string, error) {
	value, ok := decode(document)
	if !ok {
		return nil, errors.New("not JSON: write a list of texts, or an object of them") // the parser's words may quote a secret
	}
	f := &finder{found: make(map[string]struct{})}
	f.add(value)
	return slices.Sorted(maps.Keys(f.found)), nil
}

// decode parses JSON and keeps numbers as they are written.
func decode(text []byte) (any, bool) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var value any
	err := decoder.Decode(&value)
	return value, err == nil
}

// schemaOf finds the schema of the config in a SPEC message, a specification, or takes the value for the schema itself.
func schemaOf(root any) any {
	if message, ok := root.(map[string]any); ok {
		if spec, ok := message["spec"].(map[string]any); ok && message["properties"] == nil {
			message = spec
		}
		if schema, ok := message["connectionSpecification"]; ok {
			return schema
		}
	}
	return root
}

// finder collects secret values.
type finder struct {
	root  any // the schema, for $ref
	steps int // taken by bySchema
	found map[string]struct{}
}

// add takes every text and number in a value for a secret.
func (f *finder) add(value any) {
	switch value := value.(type) {
	case string:
		f.addText(value)
	case json.Number:
		f.found[value.String()] = struct{}{}
	case []any:
		for _, item := range value {
			f.add(item)
		}
	case map[string]any:
		for _, item := range value {
			f.add(item)
		}
	}
}

// addText takes a text for a secret, and what it consists of: a header value after its scheme, the secrets in a service account's JSON.
func (f *finder) addText(text string) {
	f.found[text] = struct{}{}
	scheme, token, ok := strings.Cut(strings.TrimSpace(text), " ")
	if ok && slices.Contains([]string{"bearer", "basic", "token"}, strings.ToLower(scheme)) {
		f.found[strings.TrimSpace(token)] = struct{}{}
	}
	f.inText(text)
}

// inText finds what is secret in JSON that a text holds.
func (f *finder) inText(text string) {
	if strings.HasPrefix(strings.TrimSpace(text), "{") {
		if inner, ok := decode([]byte(text)); ok {
			f.byName(inner, false)
		}
	}
}

// byName finds secrets by the names of properties and by the shape of texts.
func (f *finder) byName(value any, secret bool) {
	switch value := value.(type) {
	case map[string]any:
		for name, item := range value {
			// Under "credentials": {…} each property has a name of its own; a secret list is secret throughout.
			f.byName(item, IsName(name))
		}
	case []any:
		for _, item := range value {
			f.byName(item, secret)
		}
	case string:
		if secret {
			f.addText(value)
		} else {
			f.inText(value)
		}
		for _, password := range FromDSN(value) {
			f.found[password] = struct{}{}
		}
	case json.Number:
		if secret {
			f.found[value.String()] = struct{}{}
		}
	}
}
