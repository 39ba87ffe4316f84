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
)

// Committer is a sidecar.Committer in memory: tables and states change together, or not at all. A load whose rows it has committed already, of
// which the answer was lost, is not committed again.
type Committer struct {
	Can sidecar.Capabilities
	// OnLoad is called with the rows of each attempt at a load, before they are read; an error fails the attempt.
	OnLoad func(load sidecar.Load, rows io.Reader) error
	// OnCommit is called when loads and states are there: an error is an answer that was lost.
	OnCommit func() error

	mu sync.Mutex
	// +checklocks:mu
	tables map[tableName][]string
	// +checklocks:mu
	states map[string]sidecar.SavedState
	// +checklocks:mu
	known map[sidecar.Rows]bool
}

var (
	_ sidecar.Committer = (*Committer)(nil)
	_ sidecar.Mirrorer  = (*Committer)(nil)
)

// View is what a Committer holds at one moment.
type View struct {
	Rows   map[string][]string // by table
	States map[string]sidecar.SavedState
}

// Look is what everybody sees now.
func (c *Committer) Look() View {
	c.mu.Lock()
	defer c.mu.Unlock()
	view := View{Rows: map[string][]string{}, States: maps.Clone(c.states)}
	for table, rows := range c.tables {
		view.Rows[table.name] = slices.Clone(rows)
	}
	return view
}

// Capabilities implements sidecar.Destination.
func (c *Committer) Capabilities() sidecar.Capabilities { return c.Can }

// String implements sidecar.Destination.
func (c *Committer) String() string { return "committer in memory" }

// Place implements sidecar.Destination.
func (c *Committer) Place(tables []sidecar.Table) ([]sidecar.Placement, error) {
	placements := make([]sidecar.Placement, len(tables))
	for i, table := range tables {
		placements[i].Name = fmt.Sprintf("%q.%q", table.Namespace, table.Name)
	}
	return placements, nil
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
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Collect(maps.Values(c.states)), nil
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
	c.apply(loads, texts, states)
	if c.OnCommit != nil {
		return c.OnCommit()
	}
	return nil
}

func (c *Committer) apply(loads []sidecar.Load, texts []string, states []sidecar.SavedState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.tables == nil {
		c.tables, c.known = map[tableName][]string{}, map[sidecar.Rows]bool{}
	}
	for i, load := range loads {
		if c.known[load.Rows] {
			continue
		}
		c.known[load.Rows] = true
		name := nameOf(load.Table)
		if load.Mode != sidecar.Append {
			c.tables[name] = nil
		}
		for row := range strings.Lines(texts[i]) {
			c.tables[name] = append(c.tables[name], strings.TrimSuffix(row, "\n"))
		}
	}
	c.keep(states)
}

// keep keeps the states that are newer than those it has.
//
// +checklocks:c.mu
func (c *Committer) keep(states []sidecar.SavedState) {
	if c.states == nil {
		c.states = map[string]sidecar.SavedState{}
	}
	for _, state := range states {
		if known, found := c.states[state.Key]; !found || state.Sequence > known.Sequence {
			c.states[state.Key] = state
		}
	}
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
	j.committer.mu.Lock()
	j.committer.keep(states)
	j.committer.mu.Unlock()
	return j.Journal.SaveStates(ctx, states)
}
