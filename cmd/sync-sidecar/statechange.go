package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"sync-sidecar/cmd/sync-sidecar/console"
	"sync-sidecar/runner"
	"sync-sidecar/runner/states"
	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
	"sync-sidecar/sidecar/mapping"
)

// errDeclined is why nothing was changed.
var errDeclined = errors.New("nothing was changed")

// reset forgets states.
func (m *stateMode) reset() error {
	change, err := m.resetOf(m.saved)
	if err != nil {
		return err
	}
	for _, note := range change.Notes {
		m.note("%s", note)
	}
	if err := m.confirm(fmt.Sprintf("forget %s of sync %q in %s?", countOf(change.Entries), m.places.syncID, m.wheres())); err != nil {
		return err
	}
	return m.apply(m.resetOf, "forgotten: %s of sync %q in %s; the next read of what was reset begins anew")
}

// resetOf is what a reset does to saved states.
func (m *stateMode) resetOf(saved []sidecar.SavedState) (states.Change, error) {
	change, err := states.Reset(saved, m.selection())
	if none := (*states.NoneError)(nil); errors.As(err, &none) {
		return change, withCode(exitFailed, fmt.Errorf("--streams: sync %q in %s: %w", m.places.syncID, m.places.where, err))
	}
	if err != nil {
		return change, withCode(exitUsage, err)
	}
	return change, nil
}

// confirm asks at a terminal. Elsewhere nobody is asked, and --yes has to say it.
func (m *stateMode) confirm(question string) error {
	if m.cli.Bool("yes") {
		return nil
	}
	if !console.IsTerminal(m.env.stdin) || !console.IsTerminal(m.env.stderr) {
		return withCode(exitUsage, errors.New("nobody can be asked, since this is no terminal: --yes says that it is meant"))
	}
	fmt.Fprintf(m.env.stderr, "%s [y/N] ", console.Line(question))
	answers := make(chan string, 1)
	go func() { // it is left behind at a signal, after which the process ends
		answer, err := bufio.NewReader(m.env.stdin).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			answer = ""
		}
		answers <- answer
	}()
	select {
	case answer := <-answers:
		switch strings.ToLower(strings.TrimSpace(answer)) {
		case "y", "yes":
			return nil
		}
		return withCode(exitFailed, errDeclined)
	case <-m.cli.Done():
		return errDeclined
	}
}

// apply makes a change while no run of the sync is under way, and says so. First in the journal: should this process end in between, the position of
// the rows counts, and nothing has changed.
func (m *stateMode) apply(changeOf func([]sidecar.SavedState) (states.Change, error), done string) error {
	ctx, cancel := context.WithTimeout(m.cli.Context, specTimeout)
	defer cancel()
	if err := m.places.lock(ctx); err != nil {
		return err
	}
	each, all, err := m.places.load(ctx) // a run may have changed them since
	if err != nil {
		return err
	}
	whole, err := changeOf(all)
	if err != nil {
		return err
	}
	for i, place := range m.places.places {
		change, err := changeOf(each[i])
		if none := (*states.NoneError)(nil); errors.As(err, &none) {
			continue // of these streams the other place alone holds something
		}
		if err == nil {
			err = place.replacer.ReplaceStates(ctx, change.Gone, change.States)
		}
		switch {
		case err != nil && i > 0:
			return fmt.Errorf("%s was changed, but %s, which counts, was not: run the same again: %w", m.places.places[0].name, place.name, err)
		case err != nil:
			return err
		}
	}
	return m.print(console.Line(m.masker.Mask(fmt.Sprintf(done, countOf(whole.Entries), m.places.syncID, m.wheres()))) + "\n")
}

// countOf says how many states there are, and of which streams.
func countOf(entries []states.Entry) string {
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	word := "states"
	if len(names) == 1 {
		word = "state"
	}
	return fmt.Sprintf("%d %s (%s)", len(names), word, states.Brief(names))
}

// export prints the state file.
func (m *stateMode) export() error {
	exported, notes, err := states.Export(m.saved, m.selection())
	if none := (*states.NoneError)(nil); errors.As(err, &none) {
		return withCode(exitFailed, fmt.Errorf("--streams: sync %q in %s: %w", m.places.syncID, m.places.where, err))
	}
	if err != nil {
		return withCode(exitUsage, err)
	}
	for _, note := range notes {
		m.note("%s", note)
	}
	m.tellGuesses(exported)
	content, err := airbyte.FormatStateFile(exported)
	if err != nil {
		return withCode(exitFailed, err)
	}
	return m.print(string(content) + "\n")
}

// tellGuesses says which names may have been taken apart in the wrong place: a journal in Postgres keeps namespace and name as one text.
func (m *stateMode) tellGuesses(exported []airbyte.State) {
	known := map[string]bool{}
	for i, place := range m.places.places {
		for _, state := range m.each[i] {
			known[state.Key] = known[state.Key] || !place.guesses
		}
	}
	for _, state := range exported {
		if !known[state.Stream.String()] && strings.Contains(state.Stream.String(), ".") {
			m.note("stream %q is taken for stream %q of namespace %q: Postgres keeps both as one text. Correct the file where that is wrong",
				state.Stream.String(), state.Stream.Name, state.Stream.Namespace)
		}
	}
}

// readGiven reads the states of the FILE, before any place is opened: a wrong file makes nothing.
func (m *stateMode) readGiven() error {
	if !m.file || m.settings.config.Identity.SyncID == "" {
		return nil
	}
	name, content, err := (&runMode{env: m.env, cli: m.cli}).document("state", m.cli.Args().First())
	lines, areLines := states.FromLines(content)
	if err == nil && !areLines {
		err = runner.CheckState(name, content)
	}
	if err != nil {
		return errors.New(strings.TrimPrefix(err.Error(), "--state: "))
	}
	if m.givenName, m.given = name, lines; !areLines {
		m.given, err = airbyte.ParseStateFile(content)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if m.cli.Command.Name == "import" {
		_, err = m.importOf(nil)
	}
	return err
}

// importFile saves the states of a file.
func (m *stateMode) importFile() error {
	given := mapping.GivenStates(m.given)
	m.masker = stateMasker(m.settings, given...)
	change, err := m.importOf(m.saved)
	if err != nil {
		return err
	}
	for _, note := range change.Notes {
		m.note("%s", note)
	}
	err = m.apply(m.importOf, "saved: %s of sync %q in %s; the next read goes on from there")
	if err == nil {
		m.tellRows(given)
	}
	return err
}

// importOf is what an import does to saved states.
func (m *stateMode) importOf(saved []sidecar.SavedState) (states.Change, error) {
	change, err := states.Import(saved, m.given, m.selection())
	if err != nil {
		return change, withCode(exitUsage, fmt.Errorf("%s: %w", m.givenName, err))
	}
	return change, nil
}

// tellRows says what becomes of rows that came after a state which was imported, where they are not taken back.
func (m *stateMode) tellRows(given []sidecar.SavedState) {
	for i, place := range m.places.places {
		differences, err := states.Compare(states.Of(m.each[i]), states.Of(given))
		if place.withRows && err == nil && len(m.each[i]) > 0 && len(differences) > 0 {
			m.note("rows that are there from after these states come again: they are merged by their primary key, and without one they are there twice")
		}
	}
}

// diff says where a file and the saved states differ.
func (m *stateMode) diff() error {
	name, fromFile := m.givenName, mapping.GivenStates(m.given)
	m.masker = stateMasker(m.settings, append(fromFile, m.saved...)...)
	left, right := states.Of(m.saved), states.Of(fromFile)
	if selection := m.selection(); len(selection) > 0 {
		if _, err := states.Selected(append(append([]states.Entry{}, left...), right...), selection); err != nil {
			return withCode(exitFailed, fmt.Errorf("--streams: sync %q in %s, and %s: %w", m.places.syncID, m.places.where, name, err))
		}
		left, right = states.Among(left, selection), states.Among(right, selection)
	}
	differences, err := states.Compare(left, right)
	if err != nil {
		return withCode(exitFailed, err)
	}
	if err := m.printDifferences(differences, name); err != nil {
		return err
	}
	if len(differences) > 0 {
		return withCode(exitFailed, nil)
	}
	return nil
}

// printDifferences prints them as a table or for programs.
func (m *stateMode) printDifferences(differences []states.Difference, name string) error {
	state := func(entry *states.Entry) json.RawMessage {
		if entry == nil {
			return json.RawMessage("null")
		}
		return m.masked(entry.State)
	}
	if m.cli.String("output") == outputJSON {
		list := make([]differenceJSON, len(differences))
		for i, d := range differences {
			entry := d.Entry()
			list[i] = differenceJSON{Stream: entry.Stream.Name, Namespace: entry.Stream.Namespace, Kind: entry.Kind, Saved: state(d.Left),
				File: state(d.Right)}
		}
		return m.printJSON(list)
	}
	if len(differences) == 0 {
		m.note("%s and the saved states of sync %q are the same", name, m.places.syncID)
		return nil
	}
	rows := [][]string{{"stream", "kind", "saved", "in " + name}}
	for _, d := range differences {
		entry := d.Entry()
		saved, inFile := m.cursors(d)
		rows = append(rows, []string{entry.Name(), string(entry.Kind), saved, inFile})
	}
	return m.printTable(rows)
}
