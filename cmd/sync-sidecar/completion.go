package main

import (
	"cmp"
	"embed"
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"sync-sidecar/compose"
	"sync-sidecar/runner/docker"
	"sync-sidecar/runner/manifest"
	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
	"sync-sidecar/sidecar/session"
)

// completionScripts are what shells read; they ask completeCommand what can come next.
//
//go:embed completion
var completionScripts embed.FS

// completeMode is the command that the shells' scripts call. It is hidden: its output is for them.
const completeMode = "__complete"

// completionCommand prints the script that completes our command lines in a shell.
func completionCommand(env environment) *cli.Command {
	script := func(shell, install string) *cli.Command {
		return &cli.Command{Name: shell, Usage: "print the script for " + shell, Description: install, Action: func(*cli.Context) error {
			text, err := completionScripts.ReadFile("completion/sync-sidecar." + shell)
			if err == nil {
				_, err = env.stdout.Write(text)
			}
			if err != nil {
				return withCode(exitEnvironment, fmt.Errorf("print the script: %w", err))
			}
			return nil
		}}
	}
	return &cli.Command{
		Name: "completion", Usage: "print a script that completes command lines in bash, zsh or fish",
		Subcommands: []*cli.Command{
			script("bash", "source <(sync-sidecar completion bash)          # in ~/.bashrc"),
			script("zsh", "source <(sync-sidecar completion zsh)           # in ~/.zshrc, after compinit"),
			script("fish", "sync-sidecar completion fish | source           # in ~/.config/fish/config.fish"),
		},
	}
}

// completeCommand prints what can come next on a command line, a candidate a line, with what it is after a tab. Nothing means a file.
func completeCommand(env environment) *cli.Command {
	return &cli.Command{Name: completeMode, Hidden: true, SkipFlagParsing: true, Action: func(c *cli.Context) error {
		words := c.Args().Slice()
		if len(words) > 0 && words[0] == "--" { // which keeps --help on the line from being ours
			words = words[1:]
		}
		if _, err := fmt.Fprint(env.stdout, strings.Join(candidates(newApp(env), words), "")); err != nil {
			return withCode(exitEnvironment, err)
		}
		return nil
	}}
}

// candidates are what the last of the words can be, which is empty or was begun.
func candidates(app *cli.App, words []string) []string {
	if len(words) == 0 {
		words = []string{""}
	}
	last, before := words[len(words)-1], words[:len(words)-1]
	if slices.Contains(before, "--") {
		return nil // another program's words
	}
	command := commandOf(app, before)
	if len(before) > 0 && !strings.Contains(before[len(before)-1], "=") {
		if flag := flagNamed(command, before[len(before)-1]); flag != nil && takesValue(flag) {
			return matching(valuesOf(flag.Names()[0]), last)
		}
	}
	switch {
	case strings.HasPrefix(last, "-"):
		return matching(flagCandidates(app, command), last)
	case len(command.Subcommands) > 0:
		return matching(append(commandCandidates(command.Subcommands), syncCandidates(before)...), last)
	default:
		return matching(syncCandidates(before), last)
	}
}

// syncCandidates are the syncs of the project file that is here, for `run`.
func syncCandidates(before []string) []string {
	if len(before) == 0 || before[0] != "run" {
		return nil
	}
	file, _, err := findProject("")
	if err != nil {
		return nil
	}
	var all []string
	for _, sync := range file.Syncs {
		all = append(all, candidate(sync.Name, "a sync of "+file.File))
	}
	return all
}

// matching are the candidates that begin as the word does.
func matching(all []string, word string) []string {
	return slices.DeleteFunc(all, func(candidate string) bool { return !strings.HasPrefix(candidate, word) })
}

// candidate is a line of output.
func candidate(word, what string) string {
	what, _, _ = strings.Cut(what, "\n")
	return word + "\t" + strings.ReplaceAll(what, "`", "") + "\n"
}

func commandCandidates(commands []*cli.Command) []string {
	var all []string
	for _, command := range commands {
		if !command.Hidden {
			all = append(all, candidate(command.Name, command.Usage))
		}
	}
	return all
}

// flagCandidates are the flags of a command: first those that --help shows.
func flagCandidates(app *cli.App, command *cli.Command) []string {
	var path string
	eachCommand(app, func(words string, known *cli.Command) {
		if known == command {
			path = words
		}
	})
	flags := slices.Clone(command.Flags)
	rank := func(flag cli.Flag) int {
		if isEssential(path, flag.Names()[0]) {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(flags, func(a, b cli.Flag) int { return cmp.Compare(rank(a), rank(b)) })
	var all []string
	for _, flag := range flags {
		if described, is := flag.(cli.DocGenerationFlag); is {
			all = append(all, candidate("--"+flag.Names()[0], described.GetUsage()))
		}
	}
	return append(all, candidate("--help", "show what most need"), candidate(helpAllFlag, "show every option"))
}

// flagNamed is the flag that a word names; nil when it names none.
func flagNamed(command *cli.Command, word string) cli.Flag {
	name := strings.TrimLeft(word, "-")
	if name == word || name == "" {
		return nil
	}
	for _, flag := range command.Flags {
		if slices.Contains(flag.Names(), name) {
			return flag
		}
	}
	return nil
}

func takesValue(flag cli.Flag) bool {
	described, is := flag.(cli.DocGenerationFlag)
	return is && described.TakesValue()
}

// valuesOf are the values that a flag can have, where they can be listed.
func valuesOf(flag string) []string {
	values := map[string][]string{
		"output":    {outputTable, outputJSON},
		"sync-mode": {string(airbyte.FullRefresh), string(airbyte.Incremental)},
		"pull":      {string(docker.PullMissing), string(docker.PullAlways), string(docker.PullNever)},
		"profile":   {compose.ProfileLocal, compose.ProfilePostgres, compose.ProfileBulker},
		"add":       {"limits", "network", "restart", "schedule"},
		"kind":      {string(manifest.KindJob), string(manifest.KindPod), string(manifest.KindCronJob)},
		"command":   {string(sidecar.CommandRead), string(sidecar.CommandSpec), string(sidecar.CommandCheck), string(sidecar.CommandDiscover)},
		"alive-on":  {string(session.AliveAny), string(session.AliveMessages), string(session.AliveRecords)},

		"log-level":          {"TRACE", "DEBUG", "INFO", "WARN", "ERROR"},
		"db-log-level":       {"TRACE", "DEBUG", "INFO", "WARN", "ERROR"},
		"log-format":         {"text", "json"},
		"oversize-rows":      {"fail", "drop-fields"},
		"non-finite-numbers": {"null", "fail"},
	}[flag]
	var all []string
	for _, value := range values {
		all = append(all, candidate(value, ""))
	}
	return all
}
