// Package project reads the file that names the syncs of a folder (sync-sidecar.yaml), each with its options, which are called as the flags of
// `run read`. It knows nothing of what they mean: whoever parses a file says which there are.
package project

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/xrash/smetrics"
	"go.yaml.in/yaml/v3"

	"sync-sidecar/runner"
)

// Names are those under which a file is looked for.
func Names() []string { return []string{"sync-sidecar.yaml", "sync-sidecar.yml", "sync-sidecar.json"} }

// Kind is what the value of an option is.
type Kind int

// The kinds.
const (
	Text     Kind = iota // also a size
	Integer              //
	Number               //
	Duration             // as Go writes it: 1h30m
	Switch               // true or false
	List                 // of texts; one may be written alone
	Pairs                // a List of NAME=VALUE, or an object
	Document             // the name of a file, or what would be in it
)

// Option is something that a sync can say.
type Option struct {
	Name  string
	Kind  Kind
	Usage string // what it means
	// Path says that texts are names of files or folders, which are relative to the file's folder. Mount says that they are FILE:PATH, of which FILE is
	// one where it has a slash.
	Path, Mount bool
	// Instead are names of options of which only one can count: where a sync says one, the others of the defaults are left out.
	Instead []string
}

// Project is a file that was read.
type Project struct {
	File  string // as messages call it
	Syncs []Sync // in the order of the file
}

// Sync is one named sync, with what the defaults say.
type Sync struct {
	Name   string
	Values []Value
	dir    string // of the file
}

// Value is what a sync says of an option.
type Value struct {
	Option
	Where    string          // for messages: file:line: name
	Texts    []string        // one, or those of a List or Pairs
	Document json.RawMessage // a Document that is written out; Texts are none then
}

// namePattern: a sync is kept under its name.
var namePattern = regexp.MustCompile(runner.SyncIDPattern)

// Name says whether a text can be the name of a sync.
func Name(text string) bool {
	return namePattern.MatchString(text) && !slices.Contains(reserved(), text)
}

// Sync finds a sync by its name. The error says what there is.
func (p Project) Sync(name string) (Sync, error) {
	for _, sync := range p.Syncs {
		if sync.Name == name {
			return sync, nil
		}
	}
	return Sync{}, fmt.Errorf("%s has no sync %q%s", p.File, name, suggest(name, p.SyncNames(), ": it has "))
}

// SyncNames are the names of all syncs.
func (p Project) SyncNames() []string {
	names := make([]string, len(p.Syncs))
	for i, sync := range p.Syncs {
		names[i] = sync.Name
	}
	return names
}

// Resolve are the values of a sync with ${NAME} filled in from variables, by lookup, and paths as they are from the caller's folder. A Document that
// is written out keeps its ${NAME}. The error names all that is not set, or makes a value of another kind; the values that it does not name are
// there.
func (s Sync) Resolve(lookup func(name string) (string, bool)) ([]Value, error) {
	var problems []error
	resolved := make([]Value, len(s.Values))
	for i, value := range s.Values {
		if len(value.Texts) > 0 {
			texts, err := expand(value, lookup)
			if err != nil {
				problems = append(problems, err)
			}
			value.Texts = texts
		}
		for at, text := range value.Texts {
			if !value.Kind.takes(text) {
				problems = append(problems, fmt.Errorf("%s: %s", value.Where, value.Kind.wants(text)))
			}
			value.Texts[at] = s.located(value.Option, text)
		}
		resolved[i] = value
	}
	return resolved, errors.Join(problems...)
}

// located is a text of an option with a path in it as it is from the caller's folder.
func (s Sync) located(option Option, text string) string {
	file, target, _ := strings.Cut(text, ":")
	switch {
	case option.Mount && strings.Contains(file, "/") && !filepath.IsAbs(file):
		return filepath.Join(s.dir, file) + ":" + target
	case option.Path && text != "" && !filepath.IsAbs(text):
		return filepath.Join(s.dir, text)
	}
	return text
}

// expand fills ${NAME} in.
func expand(value Value, lookup func(string) (string, bool)) (texts []string, err error) {
	document, err := json.Marshal(value.Texts)
	if err == nil {
		document, err = runner.Expand(value.Where, document, lookup)
	}
	if err == nil {
		err = json.Unmarshal(document, &texts)
	}
	return texts, err
}

// Parse reads a file, which is YAML or JSON, and says everything that is wrong with it. name is the file.
func Parse(name string, content []byte, known []Option) (Project, error) {
	if filepath.Ext(name) == ".json" { // whose strings hold no tab, and YAML takes none as space
		content = []byte(strings.ReplaceAll(string(content), "\t", " "))
	}
	root, err := runner.ParseYAML(name, content)
	if err != nil {
		return Project{}, err
	}
	p := &parser{name: name, known: known}
	project := Project{File: name}
	if root.Kind == 0 {
		return project, fmt.Errorf("%s: names no syncs", name)
	}
	var defaults []Value
	var syncs *yaml.Node
	p.members(root.Content[0], func(key, node *yaml.Node) {
		switch key.Value {
		case "defaults":
			defaults = p.values(node)
		case "syncs":
			syncs = node
		case "$schema": // which editors look for
		default:
			if strings.HasPrefix(key.Value, "x-") { // as in Compose files: for anchors
				return
			}
			p.note(key, "%q is unknown here%s", key.Value, suggest(key.Value, []string{"defaults", "syncs"}, ": there are "))
		}
	})
	if syncs != nil {
		p.members(syncs, func(key, node *yaml.Node) {
			p.checkName(key)
			project.Syncs = append(project.Syncs, Sync{Name: key.Value, dir: filepath.Dir(name), Values: withDefaults(p.values(node), defaults)})
		})
	}
	if len(p.problems) == 0 && len(project.Syncs) == 0 {
		return project, fmt.Errorf("%s: names no syncs: write syncs: {NAME: {image: …}}", name)
	}
	return project, errors.Join(p.problems...)
}

// withDefaults are the values of a sync, and the defaults that it says nothing of.
func withDefaults(values, defaults []Value) []Value {
	all := slices.Clone(values)
	for _, preset := range defaults {
		if !slices.ContainsFunc(values, func(v Value) bool { return v.Name == preset.Name || slices.Contains(preset.Instead, v.Name) }) {
			all = append(all, preset)
		}
	}
	return all
}

const (
	suggestions = 3
	alike       = 0.75 // the least Jaro-Winkler similarity (0 to 1) of a name worth suggesting
)

// suggest says which of the names is meant, or after other, which there are.
func suggest(name string, names []string, other string) string {
	similar := func(candidate string) float64 {
		return smetrics.JaroWinkler(strings.ToLower(strings.ReplaceAll(name, "_", "-")), strings.ToLower(candidate), 0.7, 4)
	}
	sorted := slices.Clone(names)
	slices.SortStableFunc(sorted, func(a, b string) int { return cmp.Compare(similar(b), similar(a)) })
	switch {
	case len(sorted) == 0:
		return ""
	case similar(sorted[0]) >= alike:
		return fmt.Sprintf(": did you mean %q?", sorted[0])
	case other == "":
		return ""
	}
	text := other + strings.Join(names[:min(len(names), suggestions*3)], ", ")
	if len(names) > suggestions*3 {
		text += ", …"
	}
	return text
}
