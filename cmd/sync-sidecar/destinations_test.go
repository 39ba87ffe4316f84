package main

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"sync-sidecar/sidecar"
)

func TestChooseDestination(t *testing.T) {
	t.Parallel()
	open := func(settings) (server, func(context.Context), error) { return nil, nil, nil } // only that it is there matters here
	var known []destination
	for _, name := range []string{"A", "B", "C"} {
		known = append(known, destination{name: name, variable: name + "_URL", open: open})
	}
	for name, test := range map[string]struct {
		settings map[string]string
		want     string   // its name; empty is the local folder
		problem  []string // what the error says
	}{
		"none":              {map[string]string{"A_URL": "", "DATABASE_URL": "postgres://"}, "", nil},
		"nothing is set":    {nil, "", nil},
		"the first":         {map[string]string{"A_URL": "http://a"}, "A", nil},
		"the last":          {map[string]string{"C_URL": "http://c", "B_URL": ""}, "C", nil},
		"two, side by side": {map[string]string{"A_URL": "http://a", "B_URL": "http://b"}, "", []string{"A_URL and B_URL are both set"}},
		"two, apart":        {map[string]string{"A_URL": "http://a", "C_URL": "http://c"}, "", []string{"A_URL and C_URL are both set"}},
		"all three":         {map[string]string{"A_URL": "a", "B_URL": "b", "C_URL": "c"}, "", []string{"A_URL", "B_URL"}},
	} {
		got, err := chooseDestination(known, test.settings)
		if (err == nil) != (test.problem == nil) || err == nil && (got.name != test.want || got.isFolder() != (test.want == "")) {
			t.Errorf("%s: got %q, %v", name, got.name, err)
		}
		for _, want := range test.problem {
			if err != nil && !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v does not say %s", name, err, want)
			}
		}
	}
}

// What chooses a destination has to be a flag that is marked: others are not looked at.
func TestDestinationsAreChosenByMarkedFlags(t *testing.T) {
	t.Parallel()
	marked := map[string]bool{}
	for _, flag := range markedFlags(sidecarFlags()) {
		marked[flag.variable()] = true
	}
	for _, known := range destinations() {
		if !marked[known.variable] {
			t.Errorf("%s of %s is the variable of no marked flag", known.variable, known.name)
		}
	}
}

// imaginedServer is a server that nothing but its registration knows; it wants to see the journal.
type imaginedServer struct {
	sidecar.Destination
	ready error
}

func (i imaginedServer) Ready(context.Context) error { return i.ready }

func (i imaginedServer) Mirror(journal sidecar.Journal) sidecar.Journal {
	return mirroredJournal{journal}
}

type mirroredJournal struct{ sidecar.Journal }

// Beside the local folder's journal, a server gets the rows of a read, and of nothing else.
func TestStoresOpenTheServerThatIsRegistered(t *testing.T) {
	t.Parallel()
	suspicion, refusal := errors.New("looks odd"), errors.New("token refused")
	for name, test := range map[string]struct {
		command     sidecar.Command
		setUp       error
		ready       error
		want        string // of the error
		destination bool
	}{
		"read":           {command: sidecar.CommandRead, destination: true},
		"check":          {command: sidecar.CommandCheck},
		"wrong settings": {command: sidecar.CommandRead, setUp: errors.New("no port"), want: "set up Imagined: no port"},
		"refused":        {command: sidecar.CommandRead, ready: refusal, want: "token refused", destination: true},
		"only suspected": {command: sidecar.CommandRead, ready: suspicion, destination: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			closed := false
			s := settings{localDir: t.TempDir(), startup: time.Second}
			s.config.Command = test.command
			s.rows = destination{name: "Imagined", hint: suspicion, open: func(settings) (server, func(context.Context), error) {
				return imaginedServer{ready: test.ready}, func(context.Context) { closed = true }, test.setUp
			}}
			logger, console := newLogs(environment{stderr: io.Discard}, s, newMasker(s))
			defer console.Close(closeTimeout)
			opened, err := openStores(t.Context(), s, logger, false)
			if (err == nil) != (test.want == "") || err != nil && err.Error() != test.want {
				t.Errorf("opened with %v, want %q", err, test.want)
			}
			_, mirrored := opened.journal.(mirroredJournal)
			if (opened.destination != nil) != test.destination || mirrored != test.destination {
				t.Errorf("destination %v, journal %T", opened.destination, opened.journal)
			}
			if !slices.ContainsFunc(opened.sinks, func(sink sidecar.LogSink) bool { return sink != nil }) {
				t.Error("the journal takes no log lines")
			}
			if err := opened.close(t.Context(), closeTimeout); err != nil || closed != test.destination {
				t.Errorf("closed %v: %v", closed, err)
			}
		})
	}
}
