package main

import (
	"errors"
	"fmt"
	"strings"
)

// arguments is the command line of an Airbyte source.
type arguments struct {
	command string // spec, check, discover or read
	config  string // path of a file; so the two below
	catalog string
	state   string
	debug   bool
	help    bool
}

const usage = `source-demo is a demonstration source of the Airbyte protocol.

Usage:
  source-demo spec
  source-demo check    --config FILE
  source-demo discover --config FILE
  source-demo read     --config FILE --catalog FILE [--state FILE]

Options:
  --debug   debug messages, as the Python CDK writes them
  --help    this text

Every setting, the size of the data and the faults included, is in the config; "source-demo spec" describes them all.
An empty config, {}, gives 1000 rows in three streams. The faults of spec, which has no --config, come in SOURCE_DEMO_SPEC_CONFIG.
`

// parseArguments reads the command line as the CDK's entrypoint does: options after the command, "--name value" or "--name=value".
func parseArguments(args []string) (arguments, error) {
	var parsed arguments
	files := map[string]*string{"--config": &parsed.config, "--catalog": &parsed.catalog, "--state": &parsed.state}
	for len(args) > 0 {
		word := args[0]
		args = args[1:]
		name, value, joined := strings.Cut(word, "=")
		switch file := files[name]; {
		case word == "--help" || word == "-h":
			parsed.help = true
		case word == "--debug":
			parsed.debug = true
		case file != nil && joined:
			*file = value
		case file != nil && len(args) > 0:
			*file, args = args[0], args[1:]
		case file != nil:
			return parsed, fmt.Errorf("%s needs a file", name)
		case strings.HasPrefix(word, "-"):
			return parsed, fmt.Errorf("unknown option %s", word)
		case parsed.command == "":
			parsed.command = word
		default:
			return parsed, fmt.Errorf("unexpected argument %q", word)
		}
	}
	if parsed.help {
		return parsed, nil
	}
	return parsed, parsed.validate()
}

// validate checks that the command exists and has the files that it needs.
func (a arguments) validate() error {
	switch a.command {
	case "":
		return errors.New("a command is needed: spec, check, discover or read")
	case commandSpec:
		return nil
	case commandCheck, commandDiscover, commandRead:
	default:
		return fmt.Errorf("unknown command %q: use spec, check, discover or read", a.command)
	}
	if a.config == "" {
		return fmt.Errorf("%s needs --config FILE", a.command)
	}
	if a.command == commandRead && a.catalog == "" {
		return errors.New("read needs --catalog FILE")
	}
	return nil
}

// The commands of a source.
const (
	commandSpec     = "spec"
	commandCheck    = "check"
	commandDiscover = "discover"
	commandRead     = "read"
)
