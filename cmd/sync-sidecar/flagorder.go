package main

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"sync-sidecar/sidecar"
)

// order is a command line of `run` or `state` in the form that the library reads: a command, and its flags before the arguments that they stood
// behind, which it would take for arguments.
type order struct {
	args    []string
	flags   [][]string // each with its value
	given   []string   // names of the flags
	implied bool       // `run` without a command, which is read
}

// inOrder brings a command line into order. Other commands stay as they are, and so does what follows --.
func inOrder(app *cli.App, args []string) order {
	if len(args) < 2 || !slices.Contains([]string{"run", "state"}, args[1]) {
		return order{args: args}
	}
	command, at := app.Command(args[1]), 2
	for at < len(args) && command.Command(args[at]) != nil {
		command = command.Command(args[at])
		at++
	}
	var o order
	words := args[at:]
	if command.Name == "run" && len(words) > 0 && !asksForHelp(words) {
		command, o.implied = command.Command(string(sidecar.CommandRead)), true
	}
	if command.Action == nil || len(command.Subcommands) > 0 {
		return order{args: args}
	}
	o.args = slices.Clone(args[:at])
	if o.implied {
		o.args = append(o.args, command.Name)
	}
	arguments := o.sortOut(command, words)
	o.args = slices.Concat(append([][]string{o.args}, append(o.flags, arguments)...)...)
	return o
}

// asksForHelp says that the help of `run` itself is wanted.
func asksForHelp(words []string) bool {
	return slices.Contains([]string{"-h", "--help", "-help", "h", "help"}, words[0])
}

// sortOut tells the flags of a command, with their values, from its arguments.
func (o *order) sortOut(command *cli.Command, words []string) (arguments []string) {
	for i := 0; i < len(words); i++ {
		word := words[i]
		switch {
		case word == "--":
			return append(arguments, words[i:]...)
		case word == "-" || !strings.HasPrefix(word, "-"):
			arguments = append(arguments, word)
			continue
		}
		with := []string{word}
		name, _, hasValue := strings.Cut(word, "=")
		if flag := flagNamed(command, name); flag != nil {
			o.given = append(o.given, flag.Names()[0])
			if takesValue(flag) && !hasValue && i+1 < len(words) {
				i++
				with = append(with, words[i])
			}
		}
		o.flags = append(o.flags, with)
	}
	return arguments
}
