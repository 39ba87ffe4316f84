package checkpoint

import (
	"testing"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
)

// TestDueStatesAreLookedAtOnly: what would be saved with more rows still waits, and keeps its bytes when a later state takes its place.
func TestDueStatesAreLookedAtOnly(t *testing.T) {
	t.Parallel()
	tracker := New([]sidecar.StreamConfig{{Table: sidecar.Table{Stream: airbyte.StreamDescriptor{Name: "a"}}}})
	tracker.StreamState(0, sidecar.Position{Rows: 5}, sidecar.SavedState{Key: "a", State: []byte(`1`)})
	few, enough := func(int) int64 { return 4 }, func(int) int64 { return 5 }
	if due := tracker.Due(few); len(due) != 0 {
		t.Fatalf("due with 4 of 5 rows: %v", due)
	}
	due := tracker.Due(enough)
	tracker.StreamState(0, sidecar.Position{Rows: 6}, sidecar.SavedState{Key: "a", State: []byte(`2`)})
	if len(due) != 1 || string(due[0].State) != "1" || due[0].Covers[airbyte.StreamDescriptor{Name: "a"}].Rows != 5 {
		t.Fatalf("due with 5 of 5 rows: %v", due)
	}
	if tracker.Waiting() != 1 {
		t.Fatalf("%d states wait", tracker.Waiting())
	}
}

// TestStreamLeftOut: a state of all streams does not wait for a stream that the next run reads from its first row anyway, nor is it lost with it.
func TestStreamLeftOut(t *testing.T) {
	t.Parallel()
	tracker := New(make([]sidecar.StreamConfig, 2))
	tracker.LeaveOut(1)
	tracker.Freeze(1)
	handed := func(stream int) sidecar.Position { return sidecar.Position{Rows: int64(10 * (stream + 1))} }
	if ready := tracker.GlobalState(handed, sidecar.SavedState{Key: sidecar.GlobalStateKey, Sequence: 7}); len(ready) != 0 || tracker.Passed(7) ||
		!tracker.Passed(0) {
		t.Fatalf("ready before its rows: %v", ready)
	}
	if ready := tracker.Acknowledge(0, 10, 0); len(ready) != 1 || !tracker.Passed(7) || tracker.Lost() {
		t.Fatalf("ready %v, lost %v", ready, tracker.Lost())
	}
	tracker.Freeze(0)
	if !tracker.Lost() {
		t.Fatal("rows of a covered stream were lost")
	}
}
