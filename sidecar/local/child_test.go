package local

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
)

// The kill tests run this test binary as a child that reads from a made-up source into a folder, and kill it (SIGKILL) at seeded random moments until
// one child ends by itself. Streams of the source, each of childRows rows {"id":n,…}:
//
//	users   incremental, append: resumes from its state; without one its first load makes the file anew, as that of items
//	items   incremental, append_dedup with key "key", which repeats every childKeys rows
//	orders  full_refresh, overwrite
//	events  full_refresh, append, without states: another childRows rows per finished read
const (
	childRows = 400
	childKeys = 37
)

var childStreams = []airbyte.ConfiguredStream{
	stream("users", airbyte.Incremental, airbyte.Append),
	stream("items", airbyte.Incremental, airbyte.AppendDedup, []string{"key"}),
	stream("orders", airbyte.FullRefresh, airbyte.Overwrite),
	stream("events", airbyte.FullRefresh, airbyte.Append),
}

// childRow is a row of the made-up source.
func childRow(name string, n int) string {
	if name == "items" {
		return fmt.Sprintf("{\"id\":%d,\"key\":%d}\n", n, n%childKeys)
	}
	return fmt.Sprintf("{\"id\":%d,\"pad\":%q}\n", n, strings.Repeat("x", n%50))
}

// childText is the rows from..to-1.
func childText(name string, from, to int) string {
	var text strings.Builder
	for n := from; n < to; n++ {
		text.WriteString(childRow(name, n))
	}
	return text.String()
}

// child is one read of the child process.
type child struct {
	folder  *Folder
	journal sidecar.Journal
	random  *rand.Rand
	global  bool
	fresh   map[string]bool                               // streams whose first load is to come, and makes the file anew
	at      map[string]int                                // rows handed over of each stream
	handed  map[airbyte.StreamDescriptor]sidecar.Position // in this read
}

// childMain is the child: dir is LOCAL_DIR; LOCAL_TEST_SEED chooses its batches and its mode.
func childMain(dir string) int {
	if err := childRead(dir, os.Getenv("LOCAL_TEST_SEED")); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func childRead(dir, seedText string) (err error) {
	seed, err := strconv.ParseUint(seedText, 10, 64)
	if err != nil {
		return err
	}
	ctx := context.Background()
	identity := sidecar.Identity{SyncID: "sync", TaskID: seedText}
	folder, err := Open(ctx, Options{Dir: dir, Identity: identity})
	if err != nil {
		return err
	}
	c := &child{
		folder: folder, fresh: map[string]bool{"users": true, "items": true}, journal: folder, random: rand.New(rand.NewPCG(seed, 1)), global: seed%2 == 1,
		at: map[string]int{}, handed: map[airbyte.StreamDescriptor]sidecar.Position{},
	}
	if c.random.IntN(2) == 0 {
		onlyChanges(folder)
	}
	folder.indexFrom = 0
	if seed%4 >= 2 { // the states are kept elsewhere, and that elsewhere fails now and then
		other, err := Open(ctx, Options{Dir: filepath.Join(dir, "elsewhere"), Identity: identity})
		if err != nil {
			return err
		}
		c.journal = folder.Mirror(&faultyJournal{Journal: other, random: c.random})
	}
	defer func() { err = errors.Join(err, c.journal.Close(ctx)) }()
	if err := c.journal.Lock(ctx); err != nil {
		return err
	}
	states, err := c.journal.LoadStates(ctx)
	if err != nil {
		return err
	}
	warnings, err := folder.Resume(ctx, airbyte.ConfiguredCatalog{Streams: childStreams}, states)
	if err != nil || len(warnings) > 0 {
		return errors.Join(err, fmt.Errorf("warnings %q", warnings)) // rows may be there twice: not here
	}
	if err := c.resume(states); err != nil {
		return err
	}
	return c.read(ctx)
}

// resume puts the source where its states say.
func (c *child) resume(states []sidecar.SavedState) error {
	for _, state := range states {
		if state.Key != sidecar.GlobalStateKey {
			n, err := strconv.Atoi(string(state.State))
			if err != nil {
				return err
			}
			c.at[state.Key] = n
			delete(c.fresh, state.Key)
			continue
		}
		var global struct {
			Shared map[string]int `json:"shared_state"`
		}
		if err := json.Unmarshal(state.State, &global); err != nil {
			return err
		}
		c.at, c.fresh = global.Shared, nil
	}
	return nil
}

// read hands all streams over in random batches; states come between the rows, and are saved when later rows are there already.
func (c *child) read(ctx context.Context) error {
	if err := c.replaceOrders(ctx); err != nil {
		return err
	}
	var waiting []sidecar.SavedState
	for c.at["users"] < childRows || c.at["items"] < childRows || c.at["events"] < childRows {
		name := []string{"users", "items", "events"}[c.random.IntN(3)]
		for range 2 { // rows before a state, and rows after it
			if err := c.append(ctx, name, c.random.IntN(40)); err != nil {
				return err
			}
			if name != "events" && len(waiting) == 0 {
				waiting = append(waiting, c.state(name))
			}
		}
		if c.random.IntN(3) == 0 && len(waiting) > 0 {
			if err := c.journal.SaveStates(ctx, waiting); err != nil && !errors.Is(err, errJournal) {
				return err
			}
			waiting = nil
		}
		fmt.Println(name) // a moment to be killed at
	}
	last := []sidecar.SavedState{c.state("users")}
	if !c.global {
		last = append(last, c.state("items"))
	}
	for {
		err := c.journal.SaveStates(ctx, last)
		if err == nil {
			break
		}
		if !errors.Is(err, errJournal) {
			return err
		}
	}
	fmt.Println("finish")
	return c.journal.SaveTask(ctx, sidecar.TaskRecord{Status: sidecar.StatusSuccess})
}

// append hands rows of a stream over.
func (c *child) append(ctx context.Context, name string, count int) error {
	from := c.at[name]
	to := min(from+count, childRows)
	text := childText(name, from, to)
	load := sidecar.Load{Table: table(name), Rows: textRows{text: text}}
	if c.fresh[name] {
		load.Mode = sidecar.ReplaceFirst
	}
	if err := c.folder.Load(ctx, load); err != nil {
		return err
	}
	delete(c.fresh, name)
	c.at[name] = to
	position := c.handed[table(name).Stream]
	c.handed[table(name).Stream] = sidecar.Position{Rows: position.Rows + int64(to-from), Bytes: position.Bytes + int64(len(text))}
	return nil
}

// replaceOrders makes the file of orders anew; its rows tell which read they are of.
func (c *child) replaceOrders(ctx context.Context) error {
	text := strings.ReplaceAll(childText("orders", 0, childRows), "{", fmt.Sprintf("{\"read\":%d,", c.random.IntN(1000)))
	rows := textRows{text: text, reader: func() io.Reader { return &slowReader{text: text} }}
	return c.folder.Load(ctx, sidecar.Load{Table: table("orders"), Mode: sidecar.ReplaceFirst, Rows: rows})
}

// slowReader gives 1000 bytes at a time, with a moment to be killed at before each.
type slowReader struct{ text string }

func (r *slowReader) Read(p []byte) (int, error) {
	if r.text == "" {
		return 0, io.EOF
	}
	fmt.Println("orders")
	n := copy(p[:min(len(p), 1000)], r.text)
	r.text = r.text[n:]
	return n, nil
}

// state is a state at the rows handed over so far: of one stream, or of all.
func (c *child) state(name string) sidecar.SavedState {
	if !c.global {
		state := state(name, strconv.Itoa(c.at[name]), 0)
		state.Covers[state.Stream] = c.handed[state.Stream]
		return state
	}
	covers := map[airbyte.StreamDescriptor]sidecar.Position{}
	for _, config := range childStreams {
		if name := config.Stream.Name; name != "orders" {
			covers[table(name).Stream] = c.handed[table(name).Stream]
		}
	}
	global := fmt.Sprintf(`{"shared_state":{"users":%d,"items":%d},"stream_states":[]}`, c.at["users"], c.at["items"])
	return sidecar.SavedState{Key: sidecar.GlobalStateKey, State: []byte(global), Covers: covers}
}

// errJournal is what a faulty journal says.
var errJournal = errors.New("journal is away")

// faultyJournal is a journal that now and then refuses states, or takes them and says that it did not, as one behind a network does.
type faultyJournal struct {
	sidecar.Journal
	random *rand.Rand
}

func (j *faultyJournal) SaveStates(ctx context.Context, states []sidecar.SavedState) error {
	fault := j.random.IntN(4)
	if fault == 0 {
		return errJournal
	}
	err := j.Journal.SaveStates(ctx, states)
	if err == nil && fault == 1 {
		return errJournal
	}
	return err
}
