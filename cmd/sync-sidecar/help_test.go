package main

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

// helpOf is what a command line prints on stdout.
func helpOf(t *testing.T, env environment, args ...string) string {
	t.Helper()
	var out, errs bytes.Buffer
	env.stdout, env.stderr, env.getenv = &out, &errs, func(string) string { return "" }
	if err := oneApp(t, newApp(env), append([]string{"sync-sidecar"}, args...)...); err != nil || errs.Len() > 0 {
		t.Fatalf("%v: %v %s", args, err, errs.String())
	}
	return out.String()
}

// --help begins with what people need, in that order, and says how to see the rest; --help-all shows every option.
func TestHelpBeginsWithWhatPeopleNeed(t *testing.T) {
	t.Parallel()
	short := helpOf(t, environment{}, "run", "read", "--help")
	var found []int
	for _, part := range []string{"The connector:", "--image", "--config", "Streams:", "--streams", "Where rows", "--destination-url", "How it runs:",
		"sync-sidecar run read --help-all"} {
		found = append(found, strings.Index(short, part))
	}
	if !slices.IsSorted(found) || found[0] < 0 || strings.Contains(short, "--batch-rows") || strings.Contains(short, "(default: false)") {
		t.Errorf("the parts are at %v of\n%s", found, short)
	}
	all := helpOf(t, environment{helpAll: true}, "run", "read", "--help")
	if !strings.Contains(all, "--batch-rows") || strings.Contains(all, "--help-all") {
		t.Errorf("--help-all shows\n%s", all)
	}
	top := helpOf(t, environment{}, "--help")
	if run, sidecar := strings.Index(top, "run "), strings.Index(top, "sidecar  "); run < 0 || sidecar < run || strings.Contains(top, completeMode) {
		t.Errorf("the help of all is\n%s", top)
	}
}

// What --help is to show exists, in some command at least, and every command that is listed exists.
func TestEssentialsExist(t *testing.T) {
	t.Parallel()
	commands := map[string]*cli.Command{}
	eachCommand(newApp(environment{}), func(path string, command *cli.Command) { commands[path] = command })
	known := map[string]bool{"limit": true, "metrics-address": true} // which are to come
	for _, command := range commands {
		for _, flag := range command.Flags {
			known[flag.Names()[0]] = true
		}
	}
	for path, groups := range essentialsOf() {
		if commands[path] == nil {
			t.Errorf("there is no command %s", path)
			continue
		}
		for _, group := range groups {
			if describeFlags(commands[path], group.flags) == "" {
				t.Errorf("%s has none of the options under %q", path, group.title)
			}
			for _, flag := range group.flags {
				if !known[flag] {
					t.Errorf("no command has --%s", flag)
				}
			}
		}
	}
}

func TestTakeHelpAll(t *testing.T) {
	t.Parallel()
	if got, all := takeHelpAll([]string{"x", "run", "read", "--help-all"}); !all || got[3] != "--help" {
		t.Errorf("%v, %v", got, all)
	}
	args := []string{"x", "exec", "--", "program", "--help-all"}
	if got, all := takeHelpAll(args); all || !slices.Equal(got, args) {
		t.Errorf("of another program: %v, %v", got, all)
	}
}

func TestCandidates(t *testing.T) {
	t.Parallel()
	app := newApp(environment{})
	for _, test := range []struct {
		line string
		want string // that the words begin with, in order
		not  string
	}{
		{"", "run compose", completeMode},
		{"ru", "run", "compose"},
		{"run ", "spec check discover read", ""},
		{"run read --", "--image --exec", ""},
		{"run read --st", "--streams", "--image"},
		{"run read --output ", "table json", ""},
		{"run read --output j", "json", "table"},
		{"run read --config ", "", "--image"},
		{"run read --quiet --", "--image", ""},
		{"run read --help", "--help --help-all", ""},
		{"compose --profile ", "local postgres bulker", ""},
		{"exec -- program --", "", "--stdout-pipe"},
		{"no such command ", "run", ""},
	} {
		var words []string
		for _, line := range candidates(app, strings.Split(test.line, " ")) {
			word, _, _ := strings.Cut(line, "\t")
			words = append(words, word)
		}
		got := strings.Join(words, " ")
		for _, want := range strings.Fields(test.want) {
			if !slices.Contains(words, want) {
				t.Errorf("%q: no %s in %q", test.line, want, got)
			}
		}
		if test.want == "" && got != "" || test.not != "" && slices.Contains(words, test.not) {
			t.Errorf("%q: %q", test.line, got)
		}
	}
}

// The scripts work in the shells themselves, with words that a shell would run.
func TestCompletionInShells(t *testing.T) {
	programs := built(t)
	for shell, script := range map[string]string{
		"bash": `source <("$1" completion bash); COMP_WORDS=("$1" run read '$(touch ran)' --str); COMP_CWORD=4; _sync_sidecar; echo "${COMPREPLY[*]}"`,
		"zsh": `autoload -U compinit; compinit -u -d "$PWD/dump"; source <("$1" completion zsh); _describe() { print -l -- "${(@P)2}"; }
			words=("$1" run read '$(touch ran)' --str); CURRENT=5; _sync_sidecar`,
		"fish": `$argv[1] completion fish | source; set -x PATH (dirname $argv[1]) $PATH; complete --do-complete 'sync-sidecar run read --str'`,
	} {
		path, err := exec.LookPath(shell)
		if err != nil {
			continue // people have others
		}
		dir := t.TempDir()
		args := []string{"-c", script, shell, programs.Sidecar}
		if shell == "fish" {
			args = []string{"-c", script, programs.Sidecar}
		}
		command := exec.CommandContext(t.Context(), path, args...)
		command.Dir = dir
		command.Env = append(command.Environ(), "HOME="+dir)
		output, err := command.CombinedOutput()
		if err != nil || !strings.Contains(string(output), "--streams") || strings.Contains(string(output), "--image") {
			t.Errorf("%s: %v:\n%s", shell, err, output)
		}
		if left, err := filepath.Glob(filepath.Join(dir, "ran")); err != nil || len(left) > 0 {
			t.Errorf("%s ran a word of the line (%v)", shell, err)
		}
	}
}

// The manual page names every command and option.
func TestManPage(t *testing.T) {
	t.Parallel()
	page := helpOf(t, environment{}, "man")
	for _, want := range []string{".TH sync-sidecar 1", ".SH compose", "--batch-rows", "--profile", ".SS read"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}
