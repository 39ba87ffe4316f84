package sidecartest

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
)

// JournalFixture is a place for what a sync must not forget, empty at first, and the way to look at it.
type JournalFixture struct {
	// Open opens the journal for one run of a sync, as its process would. The suite closes it.
	Open func(identity sidecar.Identity) sidecar.Journal
	// Task is what a person sees of a task; the zero record when there is none. A Description means the same JSON.
	Task func(identity sidecar.Identity) sidecar.TaskRecord
	// Result is what a person sees of the last result of a command; its Payload is the last one that a success brought. Status may be empty where no
	// place is for it.
	Result func(identity sidecar.Identity, command sidecar.Command) sidecar.Result
	// Logs are the log lines in their order, as they are kept: with milliseconds, and U+FFFD for what cannot be.
	Logs func(identity sidecar.Identity) []sidecar.LogRecord
	// Refuses is a state that the journal cannot keep for what is in it; empty when it keeps every one.
	Refuses json.RawMessage
	// Hold starts a process that holds the lock of the sync (see HoldInProcess), and returns how to kill it; nil when no other process can.
	Hold func(identity sidecar.Identity) (kill func())
	// Secrets are texts that no message may show.
	Secrets []string
}

// VerifyJournal checks what sidecar.Journal promises. fixture makes a place of its own for each subtest.
func VerifyJournal(t *testing.T, fixture func(t testing.TB) JournalFixture) {
	t.Helper()
	for _, p := range journalPromises() {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			p.keep(&journalTest{t: t, JournalFixture: fixture(t)})
		})
	}
}

// journalPromises are all of them.
func journalPromises() []promise[*journalTest] {
	return slices.Concat(statePromises(), kindPromises(), recordPromises(), lockPromises())
}

// journalTest is a subtest on its way.
type journalTest struct {
	JournalFixture
	t *testing.T
}

// identity is whose journal a run of the suite opens.
func identity(sync, task string) sidecar.Identity {
	return sidecar.Identity{
		SyncID: sync, TaskID: task, Package: "airbyte/source-test", PackageVersion: "1.2.3", StorageKey: "key",
		StartedBy: `{"trigger":"manual"}`, StartedAt: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
	}
}

// open opens the journal of the sync "sync" for a task.
func (j *journalTest) open(task string) sidecar.Journal {
	j.t.Helper()
	return j.openAs(identity("sync", task))
}

// openAs opens a journal, which is closed at the end of the subtest.
func (j *journalTest) openAs(identity sidecar.Identity) sidecar.Journal {
	j.t.Helper()
	journal := j.Open(identity)
	j.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(j.t.Context()), patience)
		defer cancel()
		j.must(journal.Close(ctx))
	})
	return journal
}

// within bounds a call.
func (j *journalTest) within() context.Context {
	ctx, cancel := context.WithTimeout(j.t.Context(), patience)
	j.t.Cleanup(cancel)
	return ctx
}

// must ends the test on an error.
func (j *journalTest) must(err error) {
	j.t.Helper()
	if err != nil {
		j.discreet(err.Error())
		j.t.Fatal(err)
	}
}

// discreet checks that a message shows no secret.
func (j *journalTest) discreet(message string) {
	j.t.Helper()
	for _, secret := range j.Secrets {
		if strings.Contains(message, secret) {
			j.t.Errorf("%q shows a secret", message)
		}
	}
}

// stateOf is a STREAM state, or with one of their keys a GLOBAL or LEGACY one. It covers no row.
func stateOf(key, state string) sidecar.SavedState {
	saved := sidecar.SavedState{Key: key, State: json.RawMessage(state)}
	if !sidecar.OfAllStreams(key) {
		saved.Stream = airbyte.StreamDescriptor{Name: key}
	}
	return saved
}

// save saves states, given as key and state in turns.
func (j *journalTest) save(journal sidecar.Journal, keysAndStates ...string) {
	j.t.Helper()
	var states []sidecar.SavedState
	for pair := range slices.Chunk(keysAndStates, 2) {
		states = append(states, stateOf(pair[0], pair[1]))
	}
	j.must(journal.SaveStates(j.within(), states))
}

// load are the states by key.
func (j *journalTest) load(journal sidecar.Journal) map[string]string {
	j.t.Helper()
	states, err := journal.LoadStates(j.within())
	j.must(err)
	loaded := map[string]string{}
	for _, state := range states {
		if _, twice := loaded[state.Key]; twice {
			j.t.Errorf("the state %q comes twice", state.Key)
		}
		loaded[state.Key] = string(state.State)
	}
	return loaded
}

// holds checks the states that a journal loads, and that another run would load.
func (j *journalTest) holds(journal sidecar.Journal, keysAndStates ...string) {
	j.t.Helper()
	want := map[string]string{}
	for pair := range slices.Chunk(keysAndStates, 2) {
		want[pair[0]] = pair[1]
	}
	next := j.open("next")
	for name, journal := range map[string]sidecar.Journal{"the run itself": journal, "the next run": next} {
		got := j.load(journal)
		if !maps.EqualFunc(got, want, func(a, b string) bool { return SameJSON([]byte(a), []byte(b)) }) {
			j.t.Fatalf("%s loads the states\n%s\nwant\n%s", name, listed(got), listed(want))
		}
	}
	j.must(next.Close(j.within()))
}

// listed are states that can be read.
func listed(states map[string]string) string {
	var lines []string
	for _, key := range slices.Sorted(maps.Keys(states)) {
		lines = append(lines, fmt.Sprintf("%q: %s", key, states[key]))
	}
	return brief(lines)
}

// shown is a text as far as every journal can keep it.
func shown(text string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(text, "\ufffd"), "\x00", "\ufffd")
}

// eventually waits for what another process, or a server, does.
func (j *journalTest) eventually(what string, done func() bool) {
	j.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for ctx := j.within(); !done(); {
		select {
		case <-tick.C:
		case <-ctx.Done():
			j.t.Fatalf("%s: not within %v", what, patience)
		}
	}
}
