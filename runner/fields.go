package runner

import (
	"fmt"
	"slices"
	"strings"

	"github.com/xrash/smetrics"

	"sync-sidecar/runner/schema"
	"sync-sidecar/sidecar/airbyte"
)

// fieldPath is the path of a field that a stream has: its name, or names with dots between. Of a stream whose schema does not say, any is taken.
func fieldPath(stream airbyte.Stream, choice *Choice, text string) ([]string, error) {
	fields := fieldsOf(stream)
	if len(fields) == 0 || fields[text] != nil {
		if found := schema.Of(fields[text]); isNested(found) {
			return nil, fmt.Errorf("%s: field %s of stream %q is %s", choice.Flag, text, stream.Descriptor(), found.Kind())
		}
		if len(fields) > 0 {
			return []string{text}, nil
		}
		return strings.Split(text, "."), nil
	}
	path := strings.Split(text, ".")
	root := schema.Object{"properties": map[string]any(fields)}
	for i := range path {
		at := root.At(path[:i+1])
		switch before := root.At(path[:i]); {
		case at != nil && i == len(path)-1 && isNested(at):
			return nil, fmt.Errorf("%s: field %s of stream %q is %s", choice.Flag, text, stream.Descriptor(), at.Kind())
		case at != nil:
		case i > 0 && isOpen(before):
			return path, nil
		default:
			return nil, fmt.Errorf("%s: stream %q has no field %s; %s", choice.Flag, stream.Descriptor(), text, nearest(fields, text))
		}
	}
	return path, nil
}

// isNested says that a value is never one by which rows could be told apart, or ordered.
func isNested(field schema.Object) bool {
	types := slices.DeleteFunc(field.Types(), func(name string) bool { return name == "null" })
	return len(types) > 0 && !slices.ContainsFunc(types, func(name string) bool { return name != "object" && name != "array" })
}

// isOpen says that a schema does not say which members an object has.
func isOpen(field schema.Object) bool {
	types := field.Types()
	return len(field.Properties()) == 0 && (len(types) == 0 || slices.Contains(types, "object"))
}

// fieldsOf are the fields that a stream's schema names.
func fieldsOf(stream airbyte.Stream) schema.Object {
	document, err := schema.Decode(stream.JSONSchema)
	if err != nil {
		return nil
	}
	return schema.Of(document).Properties()
}

// offered names the fields that there are.
func offered(fields schema.Object) string {
	if len(fields) == 0 {
		return "its schema names no fields"
	}
	return "it has " + list(sorted(fields))
}

// nearest names the fields that are most like what was written, or all.
func nearest(fields schema.Object, text string) string {
	names := sorted(fields)
	alikes := slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		return smetrics.JaroWinkler(strings.ToLower(name), strings.ToLower(text), 0.7, 4) < alike
	})
	if len(alikes) > 0 {
		return "did you mean " + list(alikes) + "?"
	}
	return "it has " + list(names)
}

func sorted(fields schema.Object) []string {
	names := make([]string, 0, len(fields))
	for name := range fields {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// list is the first of many names.
func list(names []string) string {
	const most = 12
	if more := len(names) - most; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), more)
	}
	return strings.Join(names, ", ")
}
