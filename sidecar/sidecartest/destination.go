package sidecartest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
)

// Destination is a sidecar.Destination in memory. A nil hook does nothing; hooks are set before the first use, and called without a lock.
type Destination struct {
	Can        sidecar.Capabilities
	MergeByKey bool
	// OnLoad is called with each attempt, from 1 for each table, before its rows are read: it may wait, read some or all of them, or fail the attempt.
	OnLoad func(ctx context.Context, load sidecar.Load, attempt int, rows io.Reader) error
	// OnCommit is called when the rows of a load are there: an error is an answer that was lost.
	OnCommit func(load sidecar.Load) error
	// OnFinish is Finish.
	OnFinish func(ctx context.Context, streams []airbyte.StreamDescriptor) error

	mu sync.Mutex
	// +checklocks:mu
	tables map[tableName][]string
	// +checklocks:mu
	attempts map[tableName]int
	// +checklocks:mu
	loaded []Loaded
}

var (
	_ sidecar.Destination = (*Destination)(nil)
	_ sidecar.Finisher    = (*Destination)(nil)
)

// tableName is what tells tables apart.
type tableName struct{ namespace, name string }

func nameOf(table sidecar.Table) tableName { return tableName{table.Namespace, table.Name} }

// Loaded is a load that succeeded.
type Loaded struct {
	Table string
	Mode  sidecar.Mode
	Rows  int64
}

// String is "<table> <mode> <rows>", the mode as its number.
func (l Loaded) String() string { return fmt.Sprintf("%s %d %d", l.Table, l.Mode, l.Rows) }

// Put makes rows those of a table, as if they had been there before.
func (d *Destination) Put(table sidecar.Table, rows ...string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.makeMaps()
	d.tables[nameOf(table)] = rows
}

// makeMaps makes what the zero value lacks.
//
// +checklocks:d.mu
func (d *Destination) makeMaps() {
	if d.tables == nil {
		d.attempts, d.tables = map[tableName]int{}, map[tableName][]string{}
	}
}

// Loads are the loads that succeeded, in their order.
func (d *Destination) Loads() []Loaded {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.loaded)
}

// Attempts is how often loads of a table were tried.
func (d *Destination) Attempts(table sidecar.Table) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.attempts[nameOf(table)]
}

// Rows are the rows of a table, in the order in which they came; false when there is no such table.
func (d *Destination) Rows(table sidecar.Table) (rows []string, found bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	rows, found = d.tables[nameOf(table)]
	return slices.Clone(rows), found
}

// Capabilities implements sidecar.Destination.
func (d *Destination) Capabilities() sidecar.Capabilities { return d.Can }

// String implements sidecar.Destination.
func (d *Destination) String() string { return "destination in memory" }

// Finish implements sidecar.Finisher.
func (d *Destination) Finish(ctx context.Context, streams []airbyte.StreamDescriptor) error {
	if d.OnFinish == nil {
		return nil
	}
	return d.OnFinish(ctx, streams)
}

// Place implements sidecar.Destination.
func (d *Destination) Place(tables []sidecar.Table) ([]sidecar.Placement, error) {
	placements := make([]sidecar.Placement, len(tables))
	owners := map[tableName]airbyte.StreamDescriptor{}
	for i, table := range tables {
		if owner, taken := owners[nameOf(table)]; taken {
			return nil, fmt.Errorf("streams %q and %q have one table, %q: rename one", owner, table.Stream, table.Name)
		}
		owners[nameOf(table)] = table.Stream
		placements[i].Name = fmt.Sprintf("%q.%q", table.Namespace, table.Name)
	}
	return placements, nil
}

// Load implements sidecar.Destination.
func (d *Destination) Load(ctx context.Context, load sidecar.Load) error {
	source, err := load.Rows.Open(ctx)
	if err != nil {
		return fmt.Errorf("rows of table %s: %w", load.Table.Name, err)
	}
	defer source.Close()
	var read bytes.Buffer
	rows := io.TeeReader(source, &read)
	if attempt := d.attempt(load.Table); d.OnLoad != nil {
		if err := d.OnLoad(ctx, load, attempt, rows); err != nil {
			return err
		}
	}
	if _, err := io.Copy(io.Discard, rows); err != nil {
		return fmt.Errorf("rows of table %s: %w", load.Table.Name, err)
	}
	if err := d.check(load, read.String()); err != nil {
		return err
	}
	if err := d.commit(load, read.String()); err != nil {
		return err
	}
	if d.OnCommit != nil {
		return d.OnCommit(load)
	}
	return nil
}

// attempt counts attempts.
func (d *Destination) attempt(table sidecar.Table) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.makeMaps()
	d.attempts[nameOf(table)]++
	return d.attempts[nameOf(table)]
}

// check refuses rows that are not what they say they are, or that Capabilities rules out.
func (d *Destination) check(load sidecar.Load, text string) error {
	if count := int64(strings.Count(text, "\n")); int64(len(text)) != load.Rows.Size() || count != load.Rows.Count() {
		return fmt.Errorf("rows of table %s: %d rows of %d bytes were read, %d of %d were to come",
			load.Table.Name, count, len(text), load.Rows.Count(), load.Rows.Size())
	}
	if text == "" && load.Mode != sidecar.Append && !d.Can.ReplaceEmpty {
		return &sidecar.LoadError{Permanent: true, Message: "table " + load.Table.Name + " cannot be emptied"}
	}
	for row := range strings.Lines(text) {
		if length := len(row) - 1; d.Can.RowBytes > 0 && length > d.Can.RowBytes {
			return &sidecar.LoadError{Permanent: true, Message: fmt.Sprintf("a row of table %s has %d bytes", load.Table.Name, length)}
		}
	}
	return nil
}

// commit makes the rows those of the table, or adds them.
func (d *Destination) commit(load sidecar.Load, text string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	name := nameOf(load.Table)
	rows := d.tables[name]
	if load.Mode != sidecar.Append {
		rows = nil
	}
	for row := range strings.Lines(text) {
		rows = append(rows, strings.TrimSuffix(row, "\n"))
	}
	if d.MergeByKey && len(load.Table.PrimaryKey) > 0 {
		var err error
		if rows, err = lastOfEachKey(rows, load.Table.PrimaryKey); err != nil {
			return err
		}
	}
	d.tables[name] = rows
	d.loaded = append(d.loaded, Loaded{Table: load.Table.Name, Mode: load.Mode, Rows: load.Rows.Count()})
	return nil
}

// lastOfEachKey keeps the last row of each key, where it stands.
func lastOfEachKey(rows []string, key [][]string) ([]string, error) {
	last, keys := map[string]int{}, make([]string, len(rows))
	for i, row := range rows {
		for _, path := range key {
			value := json.RawMessage(row)
			for _, name := range path {
				var object map[string]json.RawMessage
				if err := json.Unmarshal(value, &object); err != nil {
					return nil, &sidecar.LoadError{Permanent: true, Message: fmt.Sprintf("row %s has no key", row), Cause: err}
				}
				value = object[name]
			}
			keys[i] += string(value) + "\n"
		}
		last[keys[i]] = i
	}
	var kept []string
	for i, row := range rows {
		if last[keys[i]] == i {
			kept = append(kept, row)
		}
	}
	return kept, nil
}
