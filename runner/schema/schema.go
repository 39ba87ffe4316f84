// Package schema reads the JSON schemas that connectors write, of a configuration and of the rows of a stream: draft 7, as the Airbyte protocol has
// it ("Airbyte Protocol", AirbyteStream.json_schema; connectionSpecification). A document comes in, and out come the places that do not fit, told by
// path and kind and never by content (I5). Nothing is fetched: a reference out of the schema is an error.
package schema

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// Schema is a compiled schema.
type Schema struct {
	compiled *jsonschema.Schema
	unread   []string
	ignored  []string
}

// Unread are the patterns of the schema that Go cannot read, such as those with a lookahead: every text fits them.
func (s *Schema) Unread() []string { return s.unread }

// place is where the schema is for the library, which wants an address.
const place = "sync-sidecar.schema"

// Compile reads a schema. The error says where it is not a schema of draft 7.
func Compile(raw json.RawMessage) (*Schema, error) {
	document, err := Decode(raw)
	if err != nil {
		return nil, err
	}
	compiled, err := compile(document)
	if err != nil {
		return nil, explain(err)
	}
	return compiled, nil
}

// compile reads a decoded schema. The error is the library's.
func compile(document any) (*Schema, error) {
	if object, is := document.(map[string]any); is {
		delete(object, "$schema") // draft 7 it is, whatever spelling of its address is there
		delete(object, "$id")
	}
	schema := &Schema{}
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft7)
	compiler.UseRegexpEngine(schema.tolerant)
	compiler.UseLoader(nowhere{})
	for name, validate := range formats() {
		compiler.RegisterFormat(&jsonschema.Format{Name: name, Validate: validate})
	}
	if err := compiler.AddResource(place, document); err != nil {
		return nil, fmt.Errorf("read the schema: %w", err)
	}
	var err error
	schema.compiled, err = compiler.Compile(place)
	return schema, err
}

// Decode is a JSON value with its numbers as they are written.
func Decode(raw []byte) (any, error) {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, errors.New("not JSON")
	}
	return value, nil
}

// explain says where a schema is wrong, without the address that the library made of place.
func explain(err error) error {
	if invalid := (*jsonschema.SchemaValidationError)(nil); errors.As(err, &invalid) {
		if problems := problemsOf(invalid.Err); len(problems) > 0 {
			return fmt.Errorf("%s: %s", problems[0].Path, problems[0].What)
		}
	}
	text := err.Error()
	if _, reason, found := strings.Cut(text, outside); found {
		return errors.New(outside + reason)
	}
	if at := strings.LastIndex(text, place); at >= 0 {
		text = strings.Trim(text[at+len(place):], "#\" ")
	}
	return fmt.Errorf("does not compile: %s", text)
}

// Problem is a place of a document that does not fit.
type Problem struct {
	Path string // of the value, with [] for any item of a list; "(all)" for the document itself
	What string // as in "is a string, want integer or null"
}

// Check is what of a decoded document does not fit, each kind at each path once.
func (s *Schema) Check(document any) []Problem {
	err := s.compiled.Validate(document)
	if err == nil {
		return nil
	}
	return problemsOf(err)
}

func problemsOf(err error) []Problem {
	failed := (*jsonschema.ValidationError)(nil)
	if !errors.As(err, &failed) {
		return []Problem{{Path: whole, What: "cannot be checked"}}
	}
	var all []Problem
	for _, leaf := range leaves(failed) {
		all = append(all, Problem{Path: pathOf(leaf.InstanceLocation), What: what(leaf.ErrorKind)})
	}
	slices.SortFunc(all, func(a, b Problem) int { return strings.Compare(a.Path+"\x00"+a.What, b.Path+"\x00"+b.What) })
	return slices.Compact(all)
}

const whole = "(all)"

// leaves are what a failure comes down to. Of alternatives none of which fits the place of the choice says more than each branch.
func leaves(failed *jsonschema.ValidationError) []*jsonschema.ValidationError {
	switch failed.ErrorKind.(type) {
	case *kind.AnyOf, *kind.OneOf, *kind.Not:
		return []*jsonschema.ValidationError{failed}
	}
	if len(failed.Causes) == 0 {
		return []*jsonschema.ValidationError{failed}
	}
	var all []*jsonschema.ValidationError
	for _, cause := range failed.Causes {
		all = append(all, leaves(cause)...)
	}
	return all
}

var index = regexp.MustCompile(`^[0-9]+$`)

func pathOf(location []string) string {
	if len(location) == 0 {
		return whole
	}
	var path strings.Builder
	for _, part := range location {
		if index.MatchString(part) {
			path.WriteString("[]")
			continue
		}
		if path.Len() > 0 {
			path.WriteByte('.')
		}
		path.WriteString(part)
	}
	return path.String()
}

// what says how a value does not fit, without the value.
func what(failed jsonschema.ErrorKind) string {
	switch failed := failed.(type) {
	case *kind.Type:
		return fmt.Sprintf("is %s, want %s", failed.Got, strings.Join(failed.Want, " or "))
	case *kind.Required:
		return "lacks " + strings.Join(failed.Missing, ", ")
	case *kind.AdditionalProperties:
		return "has " + strings.Join(failed.Properties, ", ") + ", which the schema does not allow"
	case *kind.Format:
		return "is no " + failed.Want
	case *kind.Enum, *kind.Const:
		return "is none of the values that the schema allows"
	case *kind.AnyOf, *kind.OneOf:
		return "fits none, or too many, of the alternatives"
	}
	if path := failed.KeywordPath(); len(path) > 0 {
		return "breaks " + strings.Join(path, ".")
	}
	return "does not fit"
}

// outside is what is wrong with a reference to another document.
const outside = "a reference leads out of the schema: "

// nowhere loads nothing.
type nowhere struct{}

// Load refuses.
func (nowhere) Load(url string) (any, error) {
	return nil, errors.New(outside + strings.TrimPrefix(url, "file://"))
}

// anything is the pattern that fits everything.
type anything string

// MatchString fits.
func (anything) MatchString(string) bool { return true }

// String is the pattern.
func (a anything) String() string { return string(a) }

// tolerant reads a pattern, or takes one that Go does not know, such as a lookahead, as fitting everything: it is the connector's language that
// counts, and it is not ours.
func (s *Schema) tolerant(pattern string) (jsonschema.Regexp, error) {
	compiled, err := regexp.Compile(pattern)
	if err != nil {
		if !slices.Contains(s.unread, pattern) {
			s.unread = append(s.unread, pattern)
		}
		return anything(pattern), nil
	}
	return compiled, nil
}

// formats are those of time, as connectors write them: with and without a zone, with a space for the T. All others are notes for people.
func formats() map[string]func(any) error {
	all := map[string]func(any) error{}
	for _, name := range []string{"email", "idn-email", "hostname", "idn-hostname", "ipv4", "ipv6", "uri", "uri-reference", "iri", "iri-reference",
		"uri-template", "uuid", "regex", "json-pointer", "relative-json-pointer", "duration", "period", "semver"} {
		all[name] = func(any) error { return nil }
	}
	all["date"] = timeOf("2006-01-02")
	all["time"] = timeOf("15:04:05", "15:04:05Z07:00", "15:04:05Z0700", "15:04")
	var moments []string
	for _, day := range []string{"2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02 15:04"} {
		for _, zone := range []string{"", "Z07:00", "Z0700", "Z07", " Z07:00", " Z0700", " MST"} {
			moments = append(moments, day+zone)
		}
	}
	all["date-time"] = timeOf(moments...)
	return all
}

func timeOf(layouts ...string) func(any) error {
	return func(value any) error {
		text, is := value.(string)
		if !is || slices.ContainsFunc(layouts, func(layout string) bool { _, err := time.Parse(layout, text); return err == nil }) {
			return nil
		}
		return errors.New("no such time")
	}
}
