package main

import (
	"github.com/urfave/cli/v2"

	"sync-sidecar/sidecar/secret"
)

// markedFlag is the flag of a setting that has to be handled with care. All that handles settings asks the flag, and keeps no list of names.
type markedFlag struct {
	*cli.StringFlag
	// secret: the value may also be in a file that <variable>_FILE names; run hands it to the sidecar in a file, and to the connector not at all.
	secret bool
	// address: the value is the URL, or the connection string, of a server, which the containers of run have to reach. It may hold a password.
	address bool
}

// secretFlag is the flag of a password or a token: nothing shows the value.
func secretFlag(category, name, variable, usage string) markedFlag {
	usage += " (or the file that " + variable + "_FILE names)"
	return markedFlag{&cli.StringFlag{Category: category, Name: name, EnvVars: []string{variable}, Usage: usage}, true, false}
}

// addressFlag is the flag of a server's address that usually holds no password.
func addressFlag(category, name, variable, usage string) markedFlag {
	return markedFlag{&cli.StringFlag{Category: category, Name: name, EnvVars: []string{variable}, Usage: usage}, false, true}
}

// secretAddressFlag is the flag of a server's address with the password in it.
func secretAddressFlag(category, name, variable, usage string) markedFlag {
	flag := secretFlag(category, name, variable, usage)
	flag.address = true
	return flag
}

// variable is the environment variable of the flag.
func (f markedFlag) variable() string { return f.EnvVars[0] }

// secretsIn are the parts of the flag's value that nothing may show: all of a secret, and the passwords in an address, whose host may be told.
func (f markedFlag) secretsIn(value string) []string {
	found := secret.FromDSN(value)
	if f.secret && !f.address {
		found = append(found, value)
	}
	return found
}

// markedFlags are those of a command's flags that are marked.
func markedFlags(flags []cli.Flag) []markedFlag {
	var marked []markedFlag
	for _, flag := range flags {
		if known, is := flag.(markedFlag); is {
			marked = append(marked, known)
		}
	}
	return marked
}
