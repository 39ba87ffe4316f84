package runner

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/xrash/smetrics"

	"sync-sidecar/sidecar/airbyte"
)

// selectStreams keeps the streams that were asked for, in the order of the catalog. An unknown name is an error that suggests what was meant.
func (s Selection) selectStreams(streams []airbyte.Stream) ([]airbyte.Stream, error) {
	var problems []error
	for _, name := range s.Streams {
		problems = append(problems, find(streams, "--streams", name))
	}
	selected := streams
	if len(s.Streams) > 0 {
		selected = slices.DeleteFunc(slices.Clone(streams), func(stream airbyte.Stream) bool {
			return !slices.ContainsFunc(s.Streams, func(name string) bool { return isNamed(stream, name) })
		})
	}
	for _, choice := range s.choices() {
		named := func(stream airbyte.Stream) bool { return isNamed(stream, choice.Stream) }
		switch err := find(streams, choice.Flag, choice.Stream); {
		case choice.Stream == "":
		case err != nil:
			problems = append(problems, err)
		case !slices.ContainsFunc(selected, named):
			problems = append(problems, fmt.Errorf("%s: stream %q is not among those that are read (--streams)", choice.Flag, choice.Stream))
		}
	}
	return selected, errors.Join(problems...)
}

// find says that no stream has a name, or fits a pattern.
func find(streams []airbyte.Stream, flag, name string) error {
	if slices.ContainsFunc(streams, func(stream airbyte.Stream) bool { return isNamed(stream, name) }) {
		return nil
	}
	if isPattern(name) {
		return fmt.Errorf("%s: the connector has no stream that fits %q; %s", flag, name, suggest(streams, name))
	}
	return fmt.Errorf("%s: the connector has no stream %q; %s", flag, name, suggest(streams, name))
}

// isCalled says that a stream has this very name.
func isCalled(stream airbyte.Stream, name string) bool {
	return name == stream.Name || name == stream.Descriptor().String()
}

// isNamed is Names for a stream of a catalog.
func isNamed(stream airbyte.Stream, name string) bool { return Names(name, stream.Descriptor()) }

// Names says that a name, or <namespace>.<name>, is that of a stream, or a pattern that it fits: * stands for any text, ? for any character.
func Names(name string, stream airbyte.StreamDescriptor) bool {
	if name == stream.Name || name == stream.String() || !isPattern(name) {
		return name == stream.Name || name == stream.String()
	}
	text := strings.NewReplacer(`\*`, ".*", `\?`, ".").Replace(regexp.QuoteMeta(name))
	pattern, err := regexp.Compile("^(?s:" + text + ")$")
	return err == nil && (pattern.MatchString(stream.Name) || pattern.MatchString(stream.String()))
}

func isPattern(name string) bool { return strings.ContainsAny(name, "*?") }

const (
	suggestions = 5
	// alike is the least Jaro-Winkler similarity (0 to 1) of a name worth suggesting.
	alike = 0.75
)

// suggest names the streams most like name, or the first few when none is.
func suggest(streams []airbyte.Stream, name string) string {
	type candidate struct {
		name       string
		similarity float64
	}
	candidates := make([]candidate, 0, len(streams))
	for _, stream := range streams {
		similarity := smetrics.JaroWinkler(strings.ToLower(stream.Name), strings.ToLower(name), 0.7, 4)
		candidates = append(candidates, candidate{stream.Descriptor().String(), similarity})
	}
	slices.SortStableFunc(candidates, func(a, b candidate) int { return cmp.Compare(b.similarity, a.similarity) })
	word := "did you mean "
	if len(candidates) == 0 {
		return "it has none at all"
	}
	if candidates[0].similarity < alike {
		word = "it has "
	}
	var names []string
	for _, c := range candidates {
		if len(names) < suggestions && (candidates[0].similarity < alike || c.similarity >= alike) {
			names = append(names, fmt.Sprintf("%q", c.name))
		}
	}
	return word + strings.Join(names, ", ")
}
