package sidecar

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// planned says what a plan does, on one line, and in the same order each time.
func planned(plan StatePlan) string {
	var parts []string
	for _, state := range plan.Save {
		part := "+" + state.Key
		if state.UnlessGlobal {
			part += "?G"
		}
		if state.UnlessLegacy {
			part += "?L"
		}
		parts = append(parts, part)
	}
	slices.Sort(plan.Gone)
	for _, key := range slices.Compact(plan.Gone) {
		parts = append(parts, "-"+key)
	}
	if plan.AllStreams {
		slices.Sort(plan.Kept)
		parts = append(parts, fmt.Sprintf("-* but %v", plan.Kept))
	}
	slices.Sort(parts)
	return strings.Join(parts, " ")
}

func TestStateKinds(t *testing.T) {
	t.Parallel()
	one := func(key string) SavedState { return SavedState{Key: key, State: json.RawMessage(`1`), Incremental: 2} }
	full := func(key string) SavedState { return SavedState{Key: key, State: json.RawMessage(`1`)} }
	null := func(key string) SavedState {
		return SavedState{Key: key, State: json.RawMessage(` null`), Incremental: 2}
	}
	global, legacy := full(GlobalStateKey), full(LegacyStateKey)
	tests := []struct {
		name  string
		saves [][]SavedState
		plan  string   // of the last
		want  []string // keys at the end, after "old", _GLOBAL_STATE and _LEGACY_STATE of earlier runs
	}{
		{"a full refresh", [][]SavedState{{full("f")}}, "+f?G?L", []string{"G", "L", "old"}},
		{"an incremental stream of two", [][]SavedState{{one("a")}}, "+a", []string{"G", "L", "a", "old"}},
		{"an incremental stream twice", [][]SavedState{{one("a")}, {one("a")}}, "+a", []string{"G", "L", "a", "old"}},
		{"both", [][]SavedState{{one("a")}, {one("b")}}, "+b -G -L", []string{"a", "b", "old"}},
		{"both at once", [][]SavedState{{one("a"), one("b")}}, "+a +b -G -L", []string{"a", "b", "old"}},
		{"one of them reset", [][]SavedState{{one("a")}, {null("a")}, {one("b")}}, "+b", []string{"G", "L", "b", "old"}},
		{"a full refresh is no second one", [][]SavedState{{one("a")}, {full("f")}}, "+f?G?L", []string{"G", "L", "a", "old"}},
		{"nor is an earlier one", [][]SavedState{{full("f")}, {one("a")}}, "+a", []string{"G", "L", "a", "old"}},
		{"global", [][]SavedState{{global}}, "+G -* but [] -L", []string{"G"}},
		{"global after a full refresh", [][]SavedState{{full("f")}, {global}}, "+G -* but [] -L", []string{"G"}},
		{"global with a full refresh", [][]SavedState{{global, full("f")}}, "+G -* but [] -L -f", []string{"G"}},
		{"global before a full refresh", [][]SavedState{{global}, {full("f")}}, "+f?G?L", []string{"G"}},
		{"global after an incremental stream", [][]SavedState{{one("a"), full("f")}, {global}}, "+G -* but [a] -L", []string{"G", "a"}},
		{"global with an incremental stream", [][]SavedState{{one("a"), global}}, "+G +a -* but [] -L", []string{"G", "a"}},
		{"global with all incremental streams", [][]SavedState{{one("a"), one("b"), global}}, "+G +a +b -* but [] -L", []string{"G", "a", "b"}},
		{"legacy", [][]SavedState{{legacy}}, "+L?G", []string{"G", "old"}},
		{"legacy with global", [][]SavedState{{legacy, global}}, "+G -* but [] -L", []string{"G"}},
		{"legacy with a full refresh", [][]SavedState{{null(GlobalStateKey)}, {legacy, full("f")}}, "+L?G -f", []string{"L", "old"}},
		{"legacy after both", [][]SavedState{{one("a"), one("b")}, {legacy}}, "+L?G", []string{"L", "a", "b", "old"}},
		{"legacy after a full refresh", [][]SavedState{{null(GlobalStateKey), null(LegacyStateKey)}, {full("f")}, {legacy}},
			"+L?G -f", []string{"L", "old"}},
		{"null of all streams", [][]SavedState{{one("a")}, {null(GlobalStateKey)}}, "-G", []string{"L", "a", "old"}},
		{"the last of a key counts", [][]SavedState{{one("a"), null("a")}}, "-a", []string{"G", "L", "old"}},
	}
	short := strings.NewReplacer(GlobalStateKey, "G", LegacyStateKey, "L")
	for _, test := range tests {
		var kinds StateKinds
		saved := map[string]bool{GlobalStateKey: true, LegacyStateKey: true, "old": true}
		plan := StatePlan{}
		for _, states := range test.saves {
			plan = kinds.Plan(states)
			save, gone := plan.Settle(slices.Collect(maps.Keys(saved)))
			for _, key := range gone {
				delete(saved, key)
			}
			for _, state := range save {
				saved[state.Key] = true
			}
			kinds.Saved(states)
		}
		if got := short.Replace(strings.Join(slices.Sorted(maps.Keys(saved)), " ")); got != strings.Join(test.want, " ") {
			t.Errorf("%s: saved are %s, want %v", test.name, got, test.want)
		}
		if got := short.Replace(planned(plan)); got != test.plan {
			t.Errorf("%s: plan is %q, want %q", test.name, got, test.plan)
		}
	}
}
