package main

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/urfave/cli/v2"
)

// update writes the documents anew: go test ./cmd/sync-sidecar -run TestDocs -update
var update = flag.Bool("update", false, "write .env.example and docs/settings.md from the flags")

// The documents that list settings, and the line in each after which everything is made from the flags.
const (
	envExample   = "../../.env.example"
	composeEnv   = "../../compose/.env.example" // what a person may set in a Compose project
	composeFile  = "../../compose/compose.yaml"
	settingsPage = "../../docs/settings.md"
	envMark      = "# --- From here on the flags' own words: go test ./cmd/sync-sidecar -run TestDocs -update ---"
	pageMark     = "<!-- settings: made from the flags by go test ./cmd/sync-sidecar -run TestDocs -update -->"
)

// volumeCategory is the category of flags that name none.
const volumeCategory = "Pipes and the shared volume"

// setting is an environment variable with what its flags say of it.
type setting struct {
	variable, flag, preset, usage, category string
	modes                                   []string
	others                                  []string // presets of modes that have another one
	otherFlags                              []string // flags of modes where it is called otherwise
}

// documented are all settings: by category, in the order of the flags.
func documented(t *testing.T) []setting {
	t.Helper()
	var all []*setting
	byVariable := map[string]*setting{}
	app := newApp(environment{})
	for _, mode := range []string{"sidecar", "init", "exec", "run"} {
		for _, flag := range modeFlags(t, app, mode) {
			described, isDescribed := flag.(cli.DocGenerationFlag)
			if !isDescribed || len(described.GetEnvVars()) == 0 {
				continue
			}
			for _, variable := range described.GetEnvVars() {
				s := byVariable[variable]
				if s == nil {
					s = describe(described, variable)
					byVariable[variable] = s
					all = append(all, s)
				}
				s.modes = append(s.modes, mode)
				if name := nameOf(described); name != s.flag {
					s.otherFlags = append(s.otherFlags, mode+": `"+name+"`")
				}
				if preset := presetOf(described); preset != s.preset {
					s.others = append(s.others, mode+": "+preset)
				}
			}
		}
	}
	categories := []string{categorySync, volumeCategory, categoryFiles, categoryDestination, categoryTables, categoryBatches, categoryDeadlines,
		categoryLogs, categoryMetrics}
	slices.SortStableFunc(all, func(a, b *setting) int {
		return cmp.Compare(slices.Index(categories, a.category), slices.Index(categories, b.category))
	})
	var sorted []setting
	for _, s := range all {
		if !slices.Contains(categories, s.category) {
			t.Fatalf("%s is of category %q, which is not among those that are listed", s.variable, s.category)
		}
		sorted = append(sorted, *s)
	}
	return sorted
}

// modeFlags are the flags of a mode; for run those of its read command, which has all of them.
func modeFlags(t *testing.T, app *cli.App, mode string) []cli.Flag {
	t.Helper()
	command := app.Command(mode)
	if command != nil && mode == "run" {
		command = command.Command("read")
	}
	if command == nil {
		t.Fatalf("no mode %s", mode)
	}
	return command.Flags
}

func describe(flag cli.DocGenerationFlag, variable string) *setting {
	s := &setting{variable: variable, flag: nameOf(flag), preset: presetOf(flag), usage: flag.GetUsage(), category: volumeCategory}
	if categorized, is := flag.(cli.CategorizableFlag); is && categorized.GetCategory() != "" {
		s.category = categorized.GetCategory()
	}
	return s
}

// nameOf is a flag as a person would write it.
func nameOf(flag cli.DocGenerationFlag) string {
	named, isFlag := flag.(cli.Flag)
	if !isFlag {
		return ""
	}
	return "--" + named.Names()[0]
}

// presetOf is a flag's default as a person would write it.
func presetOf(flag cli.DocGenerationFlag) string {
	if truth, is := flag.(*cli.BoolFlag); is {
		return strconv.FormatBool(truth.Value)
	}
	value := flag.GetValue()
	if _, is := flag.(*cli.DurationFlag); is {
		value = regexp.MustCompile(`([hm])0[ms]`).ReplaceAllString(value, "$1")
		value = regexp.MustCompile(`(h)0s`).ReplaceAllString(value, "$1")
	}
	return value
}

// sentence is a flag's usage as one.
func sentence(usage string) string {
	first, size := utf8.DecodeRuneInString(usage)
	return string(unicode.ToUpper(first)) + strings.TrimRight(usage[size:], ".") + "."
}

// envText is the part of .env.example that the flags make.
func envText(settings []setting) string {
	text, category := "", ""
	for _, s := range settings {
		if s.category != category {
			category = s.category
			text += fmt.Sprintf("\n# --- %s ---\n", category)
		}
		text += fmt.Sprintf("\n# %s\n#%s=%s\n", strings.ReplaceAll(sentence(s.usage), "`", ""), s.variable, s.preset)
	}
	return text
}

// pageText is the part of the settings page that the flags make.
func pageText(settings []setting) string {
	text, category := "", ""
	for _, s := range settings {
		if s.category != category {
			category = s.category
			text += fmt.Sprintf("\n## %s\n\n| Variable | Flag | Default | Read by | Meaning |\n|---|---|---|---|---|\n", category)
		}
		preset := ""
		if s.preset != "" {
			preset = "`" + s.preset + "`"
		}
		if len(s.others) > 0 {
			preset += " (" + strings.Join(s.others, ", ") + ")"
		}
		flags := "`" + s.flag + "`"
		if len(s.otherFlags) > 0 {
			flags += " (" + strings.Join(s.otherFlags, ", ") + ")"
		}
		text += fmt.Sprintf("| `%s` | %s | %s | %s | %s |\n", s.variable, flags, strings.TrimSpace(preset), strings.Join(s.modes, ", "),
			strings.ReplaceAll(sentence(s.usage), "|", `\|`))
	}
	return text
}

// All lists of settings say what the flags say. What stands before the mark is written by hand.
func TestDocsListEverySetting(t *testing.T) {
	settings := documented(t)
	for path, want := range map[string]struct{ mark, text string }{
		envExample:   {envMark, envText(settings)},
		composeEnv:   {envMark, envText(passedByCompose(t, settings))},
		settingsPage: {pageMark, pageText(settings)},
	} {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		head, made, found := strings.Cut(string(content), want.mark+"\n")
		if !found {
			t.Fatalf("%s lacks the line %s", path, want.mark)
		}
		if *update {
			if err := os.WriteFile(path, []byte(head+want.mark+"\n"+want.text), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if made != want.text {
			t.Errorf("%s does not say what the flags say: go test ./cmd/sync-sidecar -run TestDocs -update", path)
		}
	}
}

// A flag of a pod's modes that no variable stands for is named by hand, with its mode.
func TestDocsNameFlagsWithoutAVariable(t *testing.T) {
	content, err := os.ReadFile(settingsPage)
	if err != nil {
		t.Fatal(err)
	}
	app := newApp(environment{})
	for _, mode := range []string{"sidecar", "init", "exec"} {
		for _, flag := range modeFlags(t, app, mode) {
			described, is := flag.(cli.DocGenerationFlag)
			if visible, can := flag.(cli.VisibleFlag); can && !visible.IsVisible() { // what only run gives
				continue
			}
			if is && len(described.GetEnvVars()) == 0 && !strings.Contains(string(content), "`"+mode+" "+nameOf(described)) {
				t.Errorf("%s does not say that %s %s has no variable", settingsPage, mode, nameOf(described))
			}
		}
	}
}

// variables are the first groups of all matches.
func variables(pattern, text string) []string {
	var all []string
	for _, match := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
		all = append(all, match[1])
	}
	return all
}

// A flag, its variable and its default stand together in --help too.
func TestHelpNamesEveryVariable(t *testing.T) {
	programs := built(t)
	for _, mode := range []string{"sidecar", "init", "exec", "run"} {
		args := []string{mode, "--help-all"}
		if mode == "run" {
			args = []string{"run", "read", "--help-all"}
		}
		c := &commandLine{t: t, programs: programs, dir: t.TempDir()}
		help := c.run(args...)
		if help.code != exitOK || help.stderr != "" {
			t.Errorf("%s: exit code %d, stderr %q", mode, help.code, help.stderr)
		}
		for _, s := range documented(t) {
			if slices.Contains(s.modes, mode) && !strings.Contains(help.stdout, "[$"+s.variable+"]") {
				t.Errorf("%s --help does not name %s", mode, s.variable)
			}
		}
	}
}
