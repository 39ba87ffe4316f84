package main

import (
	"sync"
	"testing"

	"github.com/urfave/cli/v2"
)

// appsTurn lets one app of this process run at a time: all apps share the library's help flag, which each run writes to (cli.BoolFlag.Apply).
var appsTurn sync.Mutex

// oneApp runs an app inside of the test's process.
func oneApp(t *testing.T, app *cli.App, args ...string) error {
	t.Helper()
	appsTurn.Lock()
	defer appsTurn.Unlock()
	return app.RunContext(t.Context(), args)
}
