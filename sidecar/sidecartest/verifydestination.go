package sidecartest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
)

// DestinationFixture is a place for rows, empty at first, and the way to look at it.
type DestinationFixture struct {
	// Open opens the destination for one run of a sync, as its process would; end is called before another run is opened.
	Open func() (destination sidecar.Destination, end func())
	// Rows are the rows of a table as somebody else sees them, now, in any order and as JSON objects; none when there is no table. Members other than
	// those of the suite's rows ("id", "k", "v") do not matter, nor does how a nested one ("k") is kept.
	Rows func(stream sidecar.StreamConfig) ([]string, error)
	// Merges says when rows with the same primary key become one.
	Merges Merge
	// Break makes the next load fail at the destination, with some rows there and nothing committed; nil when nobody can.
	Break func()
	// LoseAnswer makes the next load succeed without its caller hearing of it; nil when that cannot be.
	LoseAnswer func()
	// Restart restarts what is behind the destination, as after a power cut; nil when there is nothing.
	Restart func()
	// Secrets are texts that no message may show.
	Secrets []string
}

// Merge is when a destination brings rows to one for each primary key.
type Merge int

// The moments.
const (
	MergesNever    Merge = iota
	MergesAtLoad         // when a load is acknowledged, there is one row for each key
	MergesAtFinish       // when Finish has returned
)

// patience is how long the suites wait for what must come.
const patience = 20 * time.Second

// promise is one subtest of a suite.
type promise[T any] struct {
	name string
	keep func(T)
}

// VerifyDestination checks what sidecar.Destination promises. fixture makes a place for rows of its own for each subtest.
func VerifyDestination(t *testing.T, fixture func(t testing.TB) DestinationFixture) {
	t.Helper()
	for _, p := range destinationPromises() {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			p.keep(&destinationTest{t: t, DestinationFixture: fixture(t), fixture: fixture})
		})
	}
}

// destinationPromises are all of them.
func destinationPromises() []promise[*destinationTest] {
	return slices.Concat(loadPromises(), rowPromises(), failurePromises(), placePromises(), endPromises(), commitPromises())
}

// destinationTest is a subtest on its way.
type destinationTest struct {
	DestinationFixture
	t       *testing.T
	fixture func(t testing.TB) DestinationFixture
}

// fresh is the subtest with another, empty place for rows.
func (d *destinationTest) fresh(t *testing.T) *destinationTest { //nolint:thelper // it makes what the subtest is about
	return &destinationTest{t: t, DestinationFixture: d.fixture(t), fixture: d.fixture}
}

// destinationRun is one run of a sync: the destination, prepared as the session prepares it.
type destinationRun struct {
	*destinationTest
	destination sidecar.Destination
	streams     []sidecar.StreamConfig
	end         func()
	startsOver  []atomic.Bool // by stream: the table shows its new rows at Finish
}

// stream is a stream of the suite's rows.
func stream(name string, mode sidecar.Mode, key ...[]string) sidecar.StreamConfig {
	return sidecar.StreamConfig{Mode: mode, Table: sidecar.Table{
		Stream: airbyte.StreamDescriptor{Name: name}, Name: name, PrimaryKey: key, Schema: json.RawMessage(
			`{"type":"object","properties":{"id":{"type":"integer"},"v":{"type":"string"},"k":{"type":"object","properties":{"a":{"type":"integer"}}}}}`),
	}}
}

// row is a row of the suite.
func row(id int, v string) string {
	text, err := json.Marshal(v)
	if err != nil { // cannot be: every string has a JSON text
		return err.Error()
	}
	return fmt.Sprintf(`{"id":%d,"v":%s}`, id, text)
}

// rows are rows from..to-1, whose v tells which load they are of.
func rows(from, to int, v string) []string {
	var rows []string
	for id := from; id < to; id++ {
		rows = append(rows, row(id, v))
	}
	return rows
}

// open opens the destination for a run that ends with the subtest, at the latest.
func (d *destinationTest) open(streams ...sidecar.StreamConfig) *destinationRun {
	d.t.Helper()
	destination, end := d.Open()
	end = sync.OnceFunc(end)
	d.t.Cleanup(end)
	return &destinationRun{destinationTest: d, destination: destination, streams: streams, end: end,
		startsOver: make([]atomic.Bool, len(streams))}
}

// begin opens the destination and prepares it for a run that starts from these states.
func (d *destinationTest) begin(given []sidecar.SavedState, streams ...sidecar.StreamConfig) *destinationRun {
	d.t.Helper()
	r := d.open(streams...)
	placements, err := r.destination.Place(tablesOf(streams))
	d.must(err)
	if len(placements) != len(streams) {
		d.t.Fatalf("%d placements for %d tables", len(placements), len(streams))
	}
	for i, placement := range placements {
		d.must(placement.Err)
		r.streams[i].Placement = placement
	}
	d.must(r.resume(given))
	return r
}

// resume lets a Resumer begin.
func (r *destinationRun) resume(given []sidecar.SavedState) error {
	resumer, ok := r.destination.(sidecar.Resumer)
	if !ok {
		return nil
	}
	_, err := resumer.Resume(r.t.Context(), catalogOf(r.streams), given)
	return err
}

// finish tells a Finisher that all streams came to their end, and ends the run.
func (r *destinationRun) finish() {
	r.t.Helper()
	if finisher, ok := r.destination.(sidecar.Finisher); ok {
		var done []airbyte.StreamDescriptor
		for _, stream := range r.streams {
			done = append(done, stream.Table.Stream)
		}
		r.must(finisher.Finish(r.t.Context(), done))
	}
	for i := range r.startsOver {
		r.startsOver[i].Store(false)
	}
	r.end()
}

func tablesOf(streams []sidecar.StreamConfig) []sidecar.Table {
	tables := make([]sidecar.Table, len(streams))
	for i, stream := range streams {
		tables[i] = stream.Table
	}
	return tables
}

// catalogOf is the catalog that leads to these streams.
func catalogOf(streams []sidecar.StreamConfig) airbyte.ConfiguredCatalog {
	var catalog airbyte.ConfiguredCatalog
	for _, stream := range streams {
		configured := airbyte.ConfiguredStream{
			Stream:   airbyte.Stream{Name: stream.Table.Stream.Name, Namespace: stream.Table.Stream.Namespace, JSONSchema: stream.Table.Schema},
			SyncMode: airbyte.Incremental, DestinationSyncMode: airbyte.Append, PrimaryKey: stream.Table.PrimaryKey,
		}
		switch {
		case stream.Mode == sidecar.ReplaceWhole:
			configured.SyncMode, configured.DestinationSyncMode = airbyte.FullRefresh, airbyte.Overwrite
		case len(stream.Table.PrimaryKey) > 0:
			configured.DestinationSyncMode = airbyte.AppendDedup
		}
		catalog.Streams = append(catalog.Streams, configured)
	}
	return catalog
}

// holds checks the rows of a table, in any order. Those of a stream that starts over at a Committer are seen at Finish.
func (r *destinationRun) holds(index int, want ...string) {
	r.t.Helper()
	if r.startsOver[index].Load() {
		return
	}
	r.shows(index, want...)
}

// shows checks the rows of a table, in any order.
func (r *destinationRun) shows(index int, want ...string) {
	r.t.Helper()
	kept, err := r.Rows(r.streams[index])
	r.must(err)
	if got, want := r.known(kept), r.known(want); !slices.Equal(got, want) {
		r.t.Fatalf("table %q holds %d rows, want %d:\n%s\nwant\n%s", r.streams[index].Table.Name, len(got), len(want), brief(got), brief(want))
	}
}

// known are rows as far as the suite knows them, sorted.
func (r *destinationRun) known(rows []string) []string {
	var known []string
	for _, row := range rows {
		var members struct {
			ID json.Number `json:"id"`
			V  *string     `json:"v"`
		}
		if err := json.Unmarshal([]byte(row), &members); err != nil {
			r.t.Fatalf("row %s: %v", row, err)
		}
		if members.V == nil {
			members.V = new(string)
		}
		known = append(known, fmt.Sprintf("%s %q", members.ID, *members.V))
	}
	slices.Sort(known)
	return known
}

// brief is a list that can be read.
func brief(lines []string) string {
	const most, length = 12, 80
	var short []string
	for _, line := range lines[:min(len(lines), most)] {
		if len(line) > length {
			line = line[:length] + fmt.Sprintf("… (%d bytes)", len(line))
		}
		short = append(short, line)
	}
	if len(lines) > most {
		short = append(short, "…")
	}
	return strings.Join(short, "\n")
}

// must ends the test on an error.
func (d *destinationTest) must(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
}

// discreet checks that a message shows no secret.
func (d *destinationTest) discreet(message string) {
	d.t.Helper()
	for _, secret := range d.Secrets {
		if strings.Contains(message, secret) {
			d.t.Errorf("%q shows a secret", message)
		}
	}
}

// refused checks that a load was refused by an error, and says whether it may be given again.
func (r *destinationRun) refused(err error) (again bool) {
	r.t.Helper()
	if err == nil {
		r.t.Fatal("the load is acknowledged")
	}
	refusal := sidecar.AsLoadError(err)
	return refusal == nil || !refusal.Permanent
}
