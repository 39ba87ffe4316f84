package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// helpAllFlag asks for every option of a command, where --help begins with what people need.
const helpAllFlag = "--help-all"

// essentials are options that --help shows together, under a title.
type essentials struct {
	title string
	flags []string
}

// essentialsOf are the options that --help of each command shows, by its words; a command that is not here shows all that it has. Options that one of
// the commands does not have are left out there.
func essentialsOf() map[string][]essentials {
	connector := essentials{"The connector", []string{"image", "exec", "config", "env"}}
	where := essentials{"Where rows, results and state go", []string{"local-dir", "destination-url", "bulker-url", "bulker-auth-token", "database-url",
		"sync-id"}}
	how := essentials{"How it runs", []string{"timeout", "network", "memory", "pull", "kubernetes", "output", "quiet", "verbose",
		"dry-run"}}
	asking := []essentials{connector, {where.title, []string{"local-dir", "sync-id"}}, how}
	return map[string][]essentials{
		"run spec": asking, "run check": asking, "run discover": asking,
		"doctor": {{"The connector", []string{"image", "exec", "platform"}}, where, {"How it runs", []string{"network", "sidecar-image", "kubernetes",
			"output"}}},
		"run read": {connector, {"Streams", []string{"streams", "catalog", "limit", "full-refresh", "state", "discover"}}, where, how,
			{"Syncs that a project file names", []string{"project", "all", "jobs"}}},
		"compose": {connector, {"The project", []string{"profile", "add", "to", "force", "discover", "streams", "catalog", "spec", "sidecar-image"}},
			where},
		"manifest kubernetes": {connector, {"The objects", []string{"kind", "schedule", "name", "command", "streams", "secret", "plain", "data-pvc",
			"sidecar-image"}}, where},
		"init": {{"The shared volume", []string{"stdout-pipe", "stderr-pipe", "place", "copy-config", "load-state", "sidecar-user"}}, where},
		"sidecar": {{"The connector", []string{"command", "config-file", "catalog-file", "state-file", "full-sync"}}, where,
			{"How it runs", []string{"stdout-pipe", "stderr-pipe", "prepare", "every", "log-level", "log-format", "metrics-address"}}},
	}
}

// abridge makes --help of the commands begin with what people need, and end with how to see the rest.
func abridge(app *cli.App) {
	eachCommand(app, func(path string, command *cli.Command) {
		groups, listed := essentialsOf()[path]
		if !listed {
			return
		}
		text := ""
		for _, group := range groups {
			text += group.title + ":\n" + describeFlags(command, group.flags) + "\n"
		}
		head, _, _ := strings.Cut(cli.CommandHelpTemplate, "{{if .VisibleFlagCategories}}")
		command.CustomHelpTemplate = head + "\n\n" + text +
			fmt.Sprintf("All %d options: sync-sidecar %s %s\n", len(command.Flags), path, helpAllFlag)
	})
}

// eachCommand visits every command with the words that call it.
func eachCommand(app *cli.App, visit func(path string, command *cli.Command)) {
	var descend func(words string, commands []*cli.Command)
	descend = func(words string, commands []*cli.Command) {
		for _, command := range commands {
			visit(words+command.Name, command)
			descend(words+command.Name+" ", command.Subcommands)
		}
	}
	descend("", app.Commands)
}

// switchedOff is a preset that says nothing: of a switch, and of a duration.
var switchedOff = regexp.MustCompile(` \(default: (false|0s)\)`)

// describeFlags are the lines of the flags with these names, in their order, as the library's help has them.
func describeFlags(command *cli.Command, names []string) string {
	var b strings.Builder
	for _, name := range names {
		at := slices.IndexFunc(command.Flags, func(flag cli.Flag) bool { return flag.Names()[0] == name })
		if at < 0 {
			continue
		}
		line := switchedOff.ReplaceAllString(fmt.Sprint(command.Flags[at]), "")
		repeated := regexp.MustCompile(` \[ .* \]\t`).ReplaceAllString(line, "\t") // "--env NAME=VALUE [ --env NAME=VALUE ]"
		b.WriteString("   " + repeated + "\n")
	}
	return b.String()
}

// isEssential says that --help of a command shows the flag.
func isEssential(path, flag string) bool {
	groups, listed := essentialsOf()[path]
	return !listed || slices.ContainsFunc(groups, func(group essentials) bool { return slices.Contains(group.flags, flag) })
}

// takeHelpAll turns --help-all into --help, and says whether it was there. What follows -- is another program's.
func takeHelpAll(args []string) (taken []string, all bool) {
	taken = slices.Clone(args)
	for i, arg := range taken {
		if arg == "--" {
			break
		}
		if arg == helpAllFlag {
			taken[i], all = "--help", true
		}
	}
	return taken, all
}
