package compose

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"sync-sidecar/sidecar/secret"
)

// placeholder is a ${NAME} that stands for a secret already.
var placeholder = regexp.MustCompile(`\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)\}`)

// Parted is a connector's configuration without its secrets.
type Parted struct {
	Config  []byte            // with ${NAME} in the place of each secret
	Secrets map[string]string // by NAME
	Missing []string          // names that stood in the configuration before, and have no value
}

// Part takes the secrets out of a configuration: what the spec marks as airbyte_secret, and what stands under a name that means a secret. A ${NAME}
// that stands there already is kept, with the value that lookup has for it.
func Part(config, spec []byte, lookup func(name string) (string, bool)) (Parted, error) {
	decoder := json.NewDecoder(bytes.NewReader(config))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return Parted{}, fmt.Errorf("read the configuration: %w", err)
	}
	p := &parting{secrets: map[string]string{}, missing: map[string]bool{}, known: secret.FromConfig(config, spec), lookup: lookup}
	value = p.part(value, nil)
	var parted bytes.Buffer
	encoder := json.NewEncoder(&parted)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(value); err != nil {
		return Parted{}, fmt.Errorf("write the configuration: %w", err)
	}
	return Parted{Config: parted.Bytes(), Secrets: p.secrets, Missing: slices.Sorted(maps.Keys(p.missing))}, nil
}

// parting is one Part on its way.
type parting struct {
	secrets map[string]string
	missing map[string]bool
	known   []string // the configuration's secrets
	lookup  func(string) (string, bool)
}

// part parts a value that stands at the path.
func (p *parting) part(value any, path []string) any {
	switch value := value.(type) {
	case string:
		return p.text(value, path)
	case []any:
		for i := range value {
			value[i] = p.part(value[i], append(path, fmt.Sprint(i+1)))
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(value)) {
			value[key] = p.part(value[key], append(path, key))
		}
	}
	return value
}

// text parts a string.
func (p *parting) text(value string, path []string) string {
	if names := placeholder.FindAllStringSubmatch(value, -1); len(names) > 0 {
		for _, name := range names {
			p.keep(name[1])
		}
		return value
	}
	if !p.isSecret(value) {
		return value
	}
	name := p.name(value, path)
	p.secrets[name] = value
	return "${" + name + "}"
}

// keep notes a placeholder that the configuration has already.
func (p *parting) keep(name string) {
	if name == "" { // of $${, which stands for ${
		return
	}
	value, found := p.lookup(name)
	if !found {
		p.missing[name] = true
		return
	}
	p.secrets[name] = value
}

// isSecret says that a string is one of the secrets, or the address with a password that is one.
func (p *parting) isSecret(value string) bool {
	return slices.ContainsFunc(p.known, func(known string) bool {
		return value == known || strings.Contains(value, "://") && strings.Contains(value, known)
	})
}

// name is what to call the secret at a path: after its property, and after the whole path where another secret is called so.
func (p *parting) name(value string, path []string) string {
	for from := len(path) - 1; from >= 0; from-- {
		name := variableName(path[from:])
		if other, taken := p.secrets[name]; !p.missing[name] && (!taken || other == value) {
			return name
		}
	}
	name := variableName(path)
	for p.secrets[name] != "" || p.missing[name] {
		name += "_"
	}
	return name
}

// variableName is a path as the name of a variable.
func variableName(path []string) string {
	name := strings.ToUpper(regexp.MustCompile(`[^A-Za-z0-9]+`).ReplaceAllString(strings.Join(path, "_"), "_"))
	if name == "" || name[0] >= '0' && name[0] <= '9' {
		name = "SECRET_" + name
	}
	return name
}
