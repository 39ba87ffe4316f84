package schema

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Ignored are the places of the schema that draft 7 does not allow, and that CompileLoosely left out.
func (s *Schema) Ignored() []string { return s.ignored }

// maxIgnored bounds how many such places a schema may have: what is wrong everywhere says nothing.
const maxIgnored = 100

// CompileLoosely is Compile for a schema that whoever needs it cannot correct: keywords whose value draft 7 does not allow, such as "examples" that
// are no list or the "required": true of draft 3, are left out. What cannot be read even so is an error.
func CompileLoosely(raw json.RawMessage) (*Schema, error) {
	document, err := Decode(raw)
	if err != nil {
		return nil, err
	}
	var ignored []string
	for {
		compiled, err := compile(document)
		if err == nil {
			compiled.ignored = ignored
			return compiled, nil
		}
		var failed *jsonschema.ValidationError
		if invalid := (*jsonschema.SchemaValidationError)(nil); !errors.As(err, &invalid) || !errors.As(invalid.Err, &failed) || len(ignored) > maxIgnored {
			return nil, explain(err)
		}
		left := leaveOut(document, failed)
		if len(left) == 0 {
			return nil, explain(err)
		}
		ignored = append(ignored, left...)
	}
}

// leaveOut removes from a schema the keywords that failed, and returns their paths.
func leaveOut(document any, failed *jsonschema.ValidationError) []string {
	var paths []string
	for _, leaf := range leaves(failed) {
		owner, keyword, path := keywordAt(document, leaf.InstanceLocation)
		if _, there := owner[keyword]; there {
			delete(owner, keyword)
			paths = append(paths, path)
		}
	}
	return paths
}

// keywordAt is the member of an object that a location lies in, the innermost one.
func keywordAt(document any, location []string) (owner map[string]any, keyword, path string) {
	node := document
	for i, part := range location {
		switch value := node.(type) {
		case map[string]any:
			owner, keyword, path = value, part, strings.Join(location[:i+1], ".")
			node = value[part]
		case []any:
			node = itemAt(value, part)
		default:
			return owner, keyword, path
		}
	}
	return owner, keyword, path
}

// itemAt is the item of a list; nil when there is none.
func itemAt(list []any, index string) any {
	at, err := strconv.Atoi(index)
	if err != nil || at < 0 || at >= len(list) {
		return nil
	}
	return list[at]
}
