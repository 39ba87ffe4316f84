package console

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
)

// property is what of a JSON schema property a person needs to write a config.
type property struct {
	Type        any    `json:"type"`
	Description string `json:"description"`
	Title       string `json:"title"`
	Secret      bool   `json:"airbyte_secret"`
	Default     any    `json:"default"`
	Order       *int   `json:"order"`
}

// writeProperties is the top level of a spec's configuration as a table: required properties first, then by the order that the connector gives.
func writeProperties(w io.Writer, result json.RawMessage) error {
	var spec struct {
		Documentation string `json:"documentationUrl"`
		Schema        struct {
			Required   []string            `json:"required"`
			Properties map[string]property `json:"properties"`
		} `json:"connectionSpecification"`
	}
	if err := json.Unmarshal(result, &spec); err != nil {
		return fmt.Errorf("read the spec: %w", err)
	}
	names := make([]string, 0, len(spec.Schema.Properties))
	for name := range spec.Schema.Properties {
		names = append(names, name)
	}
	rank := func(name string) (optional, order int) {
		if !slices.Contains(spec.Schema.Required, name) {
			optional = 1
		}
		if given := spec.Schema.Properties[name].Order; given != nil {
			return optional, *given
		}
		return optional, len(names)
	}
	slices.SortFunc(names, func(a, b string) int {
		optionalA, orderA := rank(a)
		optionalB, orderB := rank(b)
		return cmp.Or(cmp.Compare(optionalA, optionalB), cmp.Compare(orderA, orderB), cmp.Compare(a, b))
	})
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "property\ttype\t\tdefault\tdescription")
	for _, name := range names {
		p := spec.Schema.Properties[name]
		var marks []string
		if slices.Contains(spec.Schema.Required, name) {
			marks = append(marks, "required")
		}
		if p.Secret {
			marks = append(marks, "secret")
		}
		description := strings.Join(strings.Fields(cmp.Or(p.Description, p.Title)), " ")
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", visible(name), jsonText(p.Type), strings.Join(marks, ", "), jsonText(p.Default),
			shorten(visible(description), 100))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if spec.Documentation != "" {
		if _, err := fmt.Fprintln(w, "\ndocumentation:", visible(spec.Documentation)); err != nil {
			return err
		}
	}
	return nil
}

// jsonText is a JSON value in a table: words as they are, nothing for null.
func jsonText(value any) string {
	switch value := value.(type) {
	case nil:
		return ""
	case string:
		return visible(value)
	}
	encoded, err := json.Marshal(value)
	if err != nil {
		return "?"
	}
	return shorten(visible(string(encoded)), 40)
}
