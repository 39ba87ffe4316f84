package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
)

// schema is as much of JSON schema as spec.json needs.
type schema struct {
	Type                 string             `json:"type"`
	Default              any                `json:"default"`
	Minimum              *float64           `json:"minimum"`
	Maximum              *float64           `json:"maximum"`
	Enum                 []string           `json:"enum"`
	Properties           map[string]*schema `json:"properties"`
	AdditionalProperties *bool              `json:"additionalProperties"`
	Definitions          map[string]*schema `json:"definitions"`
}

// apply checks a value, fills in defaults, and makes whole numbers integers (1.0 is 1). Each problem begins with the path of the field.
func (s *schema) apply(path string, value any) (any, []string) {
	switch s.Type {
	case "object":
		return s.applyObject(path, value)
	case "integer", "number":
		return s.applyNumber(path, value)
	case "string":
		text, ok := value.(string)
		if ok && (len(s.Enum) == 0 || slices.Contains(s.Enum, text)) {
			return text, nil
		}
		if ok {
			return nil, []string{fmt.Sprintf("%s: %q is not one of %v", path, text, s.Enum)}
		}
	case "boolean":
		if _, ok := value.(bool); ok {
			return value, nil
		}
	}
	return nil, []string{fmt.Sprintf("%s: %s is expected, not %s", path, s.Type, describe(value))}
}

func (s *schema) applyObject(path string, value any) (any, []string) {
	object, ok := value.(map[string]any)
	if !ok {
		return nil, []string{fmt.Sprintf("%s: an object is expected, not %s", path, describe(value))}
	}
	var problems []string
	complete := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(object)) {
		property, known := s.Properties[name]
		switch {
		case known && object[name] != nil:
			applied, more := property.apply(join(path, name), object[name])
			complete[name], problems = applied, append(problems, more...)
		case !known && s.AdditionalProperties != nil && !*s.AdditionalProperties:
			problems = append(problems, fmt.Sprintf("%s: unknown field; known are %v", join(path, name), slices.Sorted(maps.Keys(s.Properties))))
		case !known:
			complete[name] = object[name]
		}
	}
	for name, property := range s.Properties {
		if _, given := complete[name]; !given && property.Default != nil {
			complete[name] = property.Default
		}
	}
	return complete, problems
}

func (s *schema) applyNumber(path string, value any) (any, []string) {
	number, ok := value.(json.Number)
	if !ok {
		return nil, []string{fmt.Sprintf("%s: a number is expected, not %s", path, describe(value))}
	}
	f, err := number.Float64()
	switch {
	case err != nil:
		return nil, []string{fmt.Sprintf("%s: %s is too large", path, number)}
	case s.Minimum != nil && f < *s.Minimum:
		return nil, []string{fmt.Sprintf("%s: %s is less than the minimum %s", path, number, plain(*s.Minimum))}
	case s.Maximum != nil && f > *s.Maximum:
		return nil, []string{fmt.Sprintf("%s: %s is more than the maximum %s", path, number, plain(*s.Maximum))}
	case s.Type == "integer" && f != float64(int64(f)):
		return nil, []string{fmt.Sprintf("%s: %s is not a whole number", path, number)}
	case s.Type == "integer":
		return int64(f), nil
	}
	return f, nil
}

// plain writes a limit without an exponent.
func plain(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// describe says what a JSON value is, without its content: it may be secret.
func describe(value any) string {
	switch value.(type) {
	case nil:
		return "null"
	case bool:
		return "a boolean"
	case json.Number, float64:
		return "a number"
	case string:
		return "a string"
	case []any:
		return "an array"
	}
	return "an object"
}
