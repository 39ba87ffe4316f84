package skeleton

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// commentWidth is where comments are wrapped, in characters.
const commentWidth = 100

// YAML is a configuration with what the spec says of each setting in comments. What is required, or has a preset, is set; the rest is commented out.
func YAML(spec []byte) ([]byte, error) {
	schema, err := read(spec)
	if err != nil {
		return nil, err
	}
	lines := append(comment(schema.text("title")), settings(schema, 0)...)
	if len(schema.properties()) == 0 {
		lines = append(lines, "{}")
	}
	return []byte(strings.Join(lines, "\n") + "\n"), nil
}

// settings are the lines of an object's properties.
func settings(schema object, depth int) []string {
	var lines []string
	for i, p := range schema.properties() {
		if i > 0 || depth == 0 {
			lines = append(lines, "")
		}
		lines = append(lines, describe(p)...)
		own := assign(p, depth)
		if !p.begins() {
			own = prefix("# ", own)
		}
		lines = append(lines, own...)
	}
	return lines
}

// assign are the lines that give a property its value.
func assign(p property, depth int) []string {
	nested := p.schema
	if choices := p.schema.choices(); len(choices) > 0 {
		nested = choices[0]
	}
	if nested.kind() == "object" && len(nested.properties()) > 0 && depth < maxDepth && (p.required || !p.begins()) {
		return append([]string{key(p.name) + ":"}, prefix("  ", settings(nested, depth+1))...)
	}
	value, filled := p.value()
	line := key(p.name) + ": " + inline(value)
	if !filled && p.required {
		line += "  # fill in"
	}
	return []string{line}
}

// describe are the comments of a property: its title, what it means, and what it can be.
func describe(p property) []string {
	title, means := p.schema.text("title"), p.schema.text("description")
	text := strings.TrimPrefix(title+": "+means, ": ")
	lines := comment(strings.TrimSuffix(text, ": "))
	if _, only := p.schema["const"]; only {
		return lines // there is nothing to choose
	}
	facts := []string{strings.Join(p.schema.types(), " or ")}
	if p.required {
		facts = append(facts, "required")
	}
	if format := p.schema.text("format"); format != "" {
		facts = append(facts, format)
	}
	if p.schema.isSecret() {
		facts = append(facts, "secret: ${"+variable(p.name)+"} is taken from the environment")
	}
	for _, list := range []struct{ key, words string }{{"enum", "one of "}, {"examples", "for example "}} {
		if values, is := p.schema[list.key].([]any); is && len(values) > 0 && !p.schema.isSecret() {
			facts = append(facts, list.words+join(values))
		}
	}
	if preset, there := p.schema["default"]; there {
		facts = append(facts, "preset "+inline(preset))
	}
	if names := choiceNames(p.schema); len(names) > 0 {
		facts = append(facts, "one of: "+strings.Join(names, " | ")+"; this is the first")
	}
	facts = slices.DeleteFunc(facts, func(fact string) bool { return fact == "" })
	if len(facts) > 0 {
		lines = append(lines, comment("("+strings.Join(facts, ", ")+")")...)
	}
	return lines
}

// choiceNames are the titles of a property's alternatives.
func choiceNames(schema object) []string {
	var names []string
	for i, choice := range schema.choices() {
		name := choice.text("title")
		if name == "" {
			name = fmt.Sprint(i + 1)
		}
		names = append(names, name)
	}
	return names
}

// join are values on a line.
func join(values []any) string {
	const most = 10
	var texts []string
	for i, value := range values {
		if i == most {
			texts = append(texts, "…")
			break
		}
		texts = append(texts, inline(value))
	}
	return strings.Join(texts, ", ")
}

// comment is a text as comments, wrapped.
func comment(text string) []string {
	var lines []string
	line := "#"
	for _, word := range strings.Fields(text) {
		if len(line) > 1 && len([]rune(line))+1+len([]rune(word)) > commentWidth {
			lines, line = append(lines, line), "#"
		}
		line += " " + word
	}
	if line == "#" {
		return lines
	}
	return append(lines, line)
}

// prefix puts a text before each line.
func prefix(text string, lines []string) []string {
	all := make([]string, len(lines))
	for i, line := range lines {
		all[i] = strings.TrimRight(text+line, " ")
	}
	return all
}

// plainKey is a key that YAML takes for a text without quotes.
var plainKey = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]*$`)

// key is a name as a key of YAML.
func key(name string) string {
	if plainKey.MatchString(name) && !slices.Contains([]string{"true", "false", "null", "yes", "no", "on", "off", "y", "n"}, strings.ToLower(name)) {
		return name
	}
	return inline(name)
}

// inline is a value as JSON, which YAML is a superset of.
func inline(value any) string {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if encoder.Encode(value) != nil {
		return "null"
	}
	return strings.TrimSpace(text.String())
}
