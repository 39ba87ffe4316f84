package sidecartest

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
)

// Committer is one run of a sync with a sidecar.Committer in memory: tables and states change together, or not at all. A load whose rows it has
// committed already, of which the answer was lost, is not committed again; a stream that starts over takes the place of the old rows at Finish; a
// later run ends this one.
type Committer struct {
	Can sidecar.Capabilities
	// OnLoad is called with the rows of each attempt at a load, before they are read; an error fails the attempt.
	OnLoad func(load sidecar.Load, rows io.Reader) error
	// OnCommit is called when loads and states are there: an error is an answer that was lost.
	OnCommit func() error

	server *committerServer
	number int // of the run
	kinds  sidecar.StateKinds
	newest map[string]int64 // sequence of the last state, by key
}

var (
	_ sidecar.Committer     = (*Committer)(nil)
	_ sidecar.Mirrorer      = (*Committer)(nil)
	_ sidecar.Resumer       = (*Committer)(nil)
	_ sidecar.Finisher      = (*Committer)(nil)
	_ sidecar.StateReplacer = (*Committer)(nil)
)

// committerServer is what the runs share.
type committerServer struct {
	mu sync.Mutex
	// +checklocks:mu
	run int // the one that may commit
	// +checklocks:mu
	tables map[tableName][]string
	// +checklocks:mu
	fresh map[tableName][]string // rows of streams that start over, until Finish
	// +checklocks:mu
	states map[string]sidecar.SavedState
	// +checklocks:mu
	known map[sidecar.Rows]bool
	// +checklocks:mu
	names map[airbyte.StreamDescriptor]tableName
}

// NewCommitter is a run with empty tables.
func NewCommitter() *Committer {
	return &Committer{server: &committerServer{tables: map[tableName][]string{}, fresh: map[tableName][]string{},
		states: map[string]sidecar.SavedState{}, known: map[sidecar.Rows]bool{}, names: map[airbyte.StreamDescriptor]tableName{}}}
}

// Again is another run, with what this one left.
func (c *Committer) Again() *Committer {
	return &Committer{Can: c.Can, OnLoad: c.OnLoad, OnCommit: c.OnCommit, server: c.server}
}

// View is what a Committer holds at one moment.
type View struct {
	Rows   map[string][]string // by table
	States map[string]sidecar.SavedState
}

// Look is what everybody sees now.
func (c *Committer) Look() View {
	s := c.server
	s.mu.Lock()
	defer s.mu.Unlock()
	view := View{Rows: map[string][]string{}, States: maps.Clone(s.states)}
	for table, rows := range s.tables {
		view.Rows[table.name] = slices.Clone(rows)
	}
	return view
}

// Rows are those of a table that everybody sees now.
func (c *Committer) Rows(table sidecar.Table) []string {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	return slices.Clone(c.server.tables[nameOf(table)])
}

// Capabilities implements sidecar.Destination.
func (c *Committer) Capabilities() sidecar.Capabilities { return c.Can }

// String implements sidecar.Destination.
func (c *Committer) String() string { return "committer in memory" }

// Place implements sidecar.Destination.
func (c *Committer) Place(tables []sidecar.Table) ([]sidecar.Placement, error) {
	placements := make([]sidecar.Placement, len(tables))
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	owners := map[tableName]airbyte.StreamDescriptor{}
	for i, table := range tables {
		if owner, taken := owners[nameOf(table)]; taken {
			return nil, fmt.Errorf("streams %q and %q have one table, %q: rename one", owner, table.Stream, table.Name)
		}
		owners[nameOf(table)] = table.Stream
		c.server.names[table.Stream] = nameOf(table)
		placements[i].Name = fmt.Sprintf("%q.%q", table.Namespace, table.Name)
	}
	return placements, nil
}

// Resume implements sidecar.Resumer: it ends the runs before.
func (c *Committer) Resume(context.Context, airbyte.ConfiguredCatalog, []sidecar.SavedState) ([]string, error) {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	c.server.run++
	c.number = c.server.run
	return nil, nil
}

// Finish implements sidecar.Finisher.
func (c *Committer) Finish(_ context.Context, streams []airbyte.StreamDescriptor) error {
	s := c.server
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, stream := range streams {
		if rows, found := s.fresh[s.names[stream]]; found {
			s.tables[s.names[stream]] = rows
			delete(s.fresh, s.names[stream])
		}
	}
	return nil
}

// Load implements sidecar.Destination.
func (c *Committer) Load(ctx context.Context, load sidecar.Load) error {
	text, err := c.read(ctx, load)
	if err != nil {
		return err
	}
	var states []sidecar.SavedState
	if load.States != nil {
		states = load.States()
	}
	return c.commit([]sidecar.Load{load}, []string{text}, states)
}

// LoadTogether implements sidecar.Committer.
func (c *Committer) LoadTogether(ctx context.Context, loads []sidecar.Load, states []sidecar.SavedState) error {
	texts := make([]string, len(loads))
	for i, load := range loads {
		if !load.Rows.Complete() {
			return fmt.Errorf("rows of table %s are not complete", load.Table.Name)
		}
		var err error
		if texts[i], err = c.read(ctx, load); err != nil {
			return err
		}
	}
	return c.commit(loads, texts, states)
}

// Committed implements sidecar.Committer.
func (c *Committer) Committed(context.Context) ([]sidecar.SavedState, error) {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	return slices.Collect(maps.Values(c.server.states)), nil
}

// read reads the rows of a load.
func (c *Committer) read(ctx context.Context, load sidecar.Load) (string, error) {
	rows, err := load.Rows.Open(ctx)
	if err != nil {
		return "", fmt.Errorf("rows of table %s: %w", load.Table.Name, err)
	}
	defer rows.Close()
	if c.OnLoad != nil {
		if err := c.OnLoad(load, rows); err != nil {
			return "", err
		}
	}
	text, err := io.ReadAll(rows)
	if err != nil {
		return "", fmt.Errorf("rows of table %s: %w", load.Table.Name, err)
	}
	if count := int64(strings.Count(string(text), "\n")); c.OnLoad == nil && (count != load.Rows.Count() || int64(len(text)) != load.Rows.Size()) {
		return "", fmt.Errorf("rows of table %s: %d rows of %d bytes were read, %d of %d were to come", load.Table.Name, count, len(text),
			load.Rows.Count(), load.Rows.Size())
	}
	return string(text), nil
}

// commit makes the rows of loads and the states visible at once.
func (c *Committer) commit(loads []sidecar.Load, texts []string, states []sidecar.SavedState) error {
	if err := c.apply(loads, texts, states); err != nil {
		return err
	}
	if c.OnCommit != nil {
		return c.OnCommit()
	}
	return nil
}

func (c *Committer) apply(loads []sidecar.Load, texts []string, states []sidecar.SavedState) error {
	s := c.server
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.number != s.run {
		return &sidecar.LoadError{Permanent: true, Message: "another run of the sync has taken over"}
	}
	for i, load := range loads {
		if !s.known[load.Rows] {
			s.known[load.Rows] = true
			s.add(load, texts[i])
		}
	}
	c.keep(states)
	return nil
}

// add adds the rows of a load to its table, or to what will take the place of it.
//
// +checklocks:s.mu
func (s *committerServer) add(load sidecar.Load, text string) {
	name := nameOf(load.Table)
	rows := s.tables
	if _, startsOver := s.fresh[name]; startsOver || load.Mode == sidecar.ReplaceFirst && len(rows[name]) > 0 {
		rows = s.fresh
	}
	if load.Mode != sidecar.Append {
		rows[name] = nil
	}
	for row := range strings.Lines(text) {
		rows[name] = append(rows[name], strings.TrimSuffix(row, "\n"))
	}
}

// keep keeps the states that are newer than those it has.
//
// +checklocks:c.server.mu
func (c *Committer) keep(states []sidecar.SavedState) {
	states = slices.DeleteFunc(slices.Clone(states), func(state sidecar.SavedState) bool { return state.Sequence <= c.newest[state.Key] })
	save, gone := c.kinds.Plan(states).Settle(slices.Collect(maps.Keys(c.server.states)))
	for _, key := range gone {
		delete(c.server.states, key)
	}
	for _, state := range save {
		c.server.states[state.Key] = state
	}
	c.kinds.Saved(states)
	if c.newest == nil {
		c.newest = map[string]int64{}
	}
	for _, state := range states {
		c.newest[state.Key] = state.Sequence
	}
}

// ReplaceStates implements sidecar.StateReplacer: it ends the runs before.
func (c *Committer) ReplaceStates(_ context.Context, gone []string, states []sidecar.SavedState) error {
	s := c.server
	s.mu.Lock()
	defer s.mu.Unlock()
	s.run++
	c.number = s.run
	for _, key := range gone {
		delete(s.states, key)
	}
	for _, state := range states {
		s.states[state.Key] = state
	}
	return nil
}

// Mirror implements sidecar.Mirrorer.
func (c *Committer) Mirror(journal sidecar.Journal) sidecar.Journal {
	return &committedJournal{Journal: journal, committer: c}
}

// committedJournal is what Mirror returns.
type committedJournal struct {
	sidecar.Journal
	committer *Committer
}

// SaveStates implements sidecar.Journal.
func (j *committedJournal) SaveStates(ctx context.Context, states []sidecar.SavedState) error {
	j.committer.server.mu.Lock()
	j.committer.keep(states)
	j.committer.server.mu.Unlock()
	return j.Journal.SaveStates(ctx, states)
}
