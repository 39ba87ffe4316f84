package main

import (
	"github.com/urfave/cli/v2"

	"sync-sidecar/runner"
	"sync-sidecar/sidecar/secret"
)

// connectorSecrets are secrets that the connector is given beside its configuration: variables under names that mean secrets, and those that the
// configuration was filled in with. A local program gets the whole environment of this process.
func (m *runMode) connectorSecrets(task runner.Task) []string {
	secrets := append(m.expanded, secret.FromEnv(task.ConnectorEnv)...)
	if len(task.Program) > 0 {
		secrets = append(secrets, secret.FromEnv(m.env.environ)...)
	}
	return secrets
}

// lookupExpanded is lookup for a variable that goes into the configuration, where its property may have a name that tells nothing.
func (m *runMode) lookupExpanded(name string) (string, bool) {
	value, set := m.lookup(name)
	if set && secret.IsName(name) {
		m.expanded = append(m.expanded, value)
	}
	return value, set
}

// newRunMasker knows every secret that goes into a task, by the flags of its command. The sidecar masks its own lines; this is for what it does not
// see: the Engine's words, a crash, the shim's.
func newRunMasker(task runner.Task, flags []cli.Flag) *secret.Masker {
	masker := secret.NewMasker(task.Secrets...)
	masker.Add(secret.FromConfig(task.Config, nil)...)
	for _, flag := range markedFlags(flags) {
		masker.Add(flag.secretsIn(task.Settings[flag.variable()])...)
	}
	return masker
}

// hiding passes events on without secrets.
func hiding(masker *secret.Masker, show func(runner.Event)) func(runner.Event) {
	return func(event runner.Event) {
		event.Log.Message = masker.Mask(event.Log.Message)
		show(event)
	}
}
