package main

import (
	"errors"

	"sync-sidecar/runner"
)

// selection is what to read of a catalog, and how. What is wrong with it, choices says.
func (m *runMode) selection() runner.Selection {
	chosen, err := m.choices()
	if err != nil {
		chosen = runner.Selection{}
	}
	chosen.CheckConfig = !m.cli.Bool("no-validate")
	chosen.Streams = listed(m.cli, "streams")
	chosen.FullRefresh, chosen.Discover, chosen.CatalogAge = m.cli.Bool("full-refresh"), m.cli.Bool("discover"), m.cli.Duration("catalog-age")
	return chosen
}

// choices are what the flags choose about single streams.
func (m *runMode) choices() (chosen runner.Selection, err error) {
	c := m.cli
	modes, modeErr := runner.ParseChoices("sync-mode", listed(c, "sync-mode"), false, true)
	cursors, cursorErr := runner.ParseChoices("cursor", listed(c, "cursor"), false, false)
	keys, keyErr := runner.ParseChoices("primary-key", listed(c, "primary-key"), true, false)
	err = errors.Join(modeErr, cursorErr, keyErr, runner.CheckModes(modes))
	if c.Bool("full-refresh") && len(modes)+len(cursors) > 0 {
		err = errors.Join(err, errors.New("--full-refresh reads every stream as a full refresh: leave --sync-mode and --cursor out, or it"))
	}
	return runner.Selection{SyncModes: modes, Cursors: cursors, PrimaryKeys: keys}, err
}
