package share

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"sync-sidecar/sidecar"
)

func TestWeightsAreOfTheNewestTaskThatSawRows(t *testing.T) {
	t.Parallel()
	got := Weights([]string{
		`{"orders":{"events":0,"bytes":0,"status":"FAILED"},"users":{"events":10,"bytes":1000,"estimated_rows":40},"new":{"estimated_rows":5}}`,
		`no JSON`,
		`{"orders":{"events":3,"bytes":300},"users":{"events":99,"bytes":99999},"empty":{"events":0,"bytes":0}}`,
	})
	want := map[string]int64{"orders": 300, "users": 4000, "new": 1000, "empty": 0}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestDivide(t *testing.T) {
	t.Parallel()
	names := func(n int) (streams []string) {
		for i := range n {
			streams = append(streams, fmt.Sprintf("s%02d", i))
		}
		return streams
	}
	for name, c := range map[string]struct {
		streams []string
		weights map[string]int64
		shards  int
		want    []int
	}{
		"nothing is known":        {names(7), nil, 3, []int{0, 1, 2, 0, 1, 2, 0}},
		"fewer streams":           {names(2), nil, 4, []int{0, 1}},
		"one is heavy":            {names(5), map[string]int64{"s00": 10, "s01": 10, "s02": 900, "s03": 10, "s04": 10}, 2, []int{1, 1, 0, 1, 1}},
		"the heaviest go first":   {names(4), map[string]int64{"s00": 1, "s01": 2, "s02": 3, "s03": 4}, 2, []int{0, 1, 1, 0}},
		"a new one is average":    {names(3), map[string]int64{"s00": 100, "s01": 300}, 2, []int{1, 0, 1}},
		"empty ones are spread":   {names(6), map[string]int64{"s00": 0, "s01": 0, "s02": 0, "s03": 0, "s04": 0, "s05": 0}, 3, []int{0, 1, 2, 0, 1, 2}},
		"the order is no matter":  {[]string{"b", "a"}, map[string]int64{"a": 5, "b": 5}, 2, []int{1, 0}},
		"no streams are no error": {nil, nil, 3, []int{}},
	} {
		if got := Divide(c.streams, c.weights, c.shards); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// TestDivideIsFair: no shard gets more than a third above the best there can be (Graham 1969: 4/3 - 1/3m).
func TestDivideIsFair(t *testing.T) {
	t.Parallel()
	var streams []string
	weights, sum, most := map[string]int64{}, int64(0), int64(0)
	for i := range 97 {
		stream, weight := fmt.Sprint(i), int64(1000+i*i*i%9973*100)
		streams, weights[stream] = append(streams, stream), weight
		sum, most = sum+weight, max(most, weight)
	}
	for shards := 2; shards <= 20; shards++ {
		loads := make([]int64, shards)
		for i, shard := range Divide(streams, weights, shards) {
			loads[shard] += weights[streams[i]]
		}
		if best := max(sum/int64(shards), most); slices.Max(loads) > best*4/3 {
			t.Errorf("%d shards: %v, best is at least %d", shards, loads, best)
		}
	}
}

func plan(t *testing.T, streams []string, shards ...int) string {
	t.Helper()
	text, err := NewPlan(streams, shards)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestPlanIsReadBack(t *testing.T) {
	t.Parallel()
	text := plan(t, []string{"users", "a.b", "<&>"}, 0, 1, 0)
	shards, err := Shards(text)
	if err != nil || fmt.Sprint(shards) != fmt.Sprint(map[string]int{"users": 0, "a.b": 1, "<&>": 0}) {
		t.Errorf("%v, %v of %s", shards, err, text)
	}
	for _, other := range []string{"", "Started", "[]", `{"users":{"events":1}}`, `{"users":7}`} {
		if _, err := Shards(other); err == nil {
			t.Errorf("%q is taken for a plan", other)
		}
	}
}

func TestSum(t *testing.T) {
	t.Parallel()
	entryOf := func(stream, status string) string {
		return fmt.Sprintf(`{"%s":{"events":5,"bytes":50,"status":"%s"}}`, stream, status)
	}
	good := func(stream string) Part { return Part{"SUCCESS", entryOf(stream, "SUCCESS"), ""} }
	for name, c := range map[string]struct {
		parts  []Part
		status sidecar.Status
		says   string
	}{
		"none has begun":          {[]Part{{}, {}, {}}, "RUNNING", ""},
		"one still runs":          {[]Part{good("a"), {Status: "RUNNING"}, good("c")}, "RUNNING", ""},
		"one failed, one runs":    {[]Part{good("a"), {Status: "RUNNING"}, {"FAILED", "", "no"}}, "RUNNING", ""},
		"all are good":            {[]Part{good("a"), good("b"), good("c")}, "SUCCESS", ""},
		"one failed":              {[]Part{good("a"), {"FAILED", entryOf("b", "FAILED"), "no disk"}, good("c")}, "PARTIAL", "shard 1 FAILED: no disk"},
		"one is partial":          {[]Part{{"FAILED", "", ""}, {"PARTIAL", "{}", "x"}, {"FAILED", "", ""}}, "PARTIAL", "FAILED; shard 1 PARTIAL: x"},
		"all failed":              {[]Part{{"FAILED", "", "x"}, {"FAILED", "", "y"}, {"FAILED", "", "z"}}, "FAILED", "shard 1 FAILED: y; shard 2"},
		"one was cancelled":       {[]Part{good("a"), {"CANCELLED", "", "SIGTERM"}, {"TIME_EXCEEDED", "", ""}}, "CANCELLED", "shard 1 CANCELLED: SIGTERM"},
		"one took too long":       {[]Part{good("a"), {"TIME_EXCEEDED", "", ""}, {"FAILED", "", ""}}, "TIME_EXCEEDED", "shard 1 TIME_EXCEEDED; shard 2"},
		"one missed its stream":   {[]Part{good("a"), good("b"), {"SUCCESS", "{}", ""}}, "PARTIAL", "did not name to their shard: 1"},
		"all missed their stream": {[]Part{{"FAILED", "", ""}, {"FAILED", "", ""}, {"SUCCESS", "{}", ""}}, "PARTIAL", "did not name"},
	} {
		got, err := Sum(plan(t, []string{"a", "b", "c"}, 0, 1, 2), c.parts)
		if err != nil || got.Status != c.status || !strings.Contains(got.Error, c.says) || (c.says == "") != (got.Error == "") {
			t.Errorf("%s: %v, %+v; want %s and %q", name, err, got, c.status, c.says)
		}
		if _, err := Shards(got.Description); err != nil {
			t.Errorf("%s: the description is no plan any more: %s", name, got.Description)
		}
	}
}

// A shard to which no streams fell says nothing of how the others fared.
func TestSumOfShardsWithoutStreams(t *testing.T) {
	t.Parallel()
	failed := []Part{{"FAILED", "", "x"}, {"SUCCESS", "{}", ""}}
	if got, err := Sum(plan(t, []string{"a"}, 0), failed); err != nil || got.Status != sidecar.StatusFailed {
		t.Errorf("%+v, %v", got, err)
	}
}

// The description of the whole keeps the order of the streams, their shards, and every word of the shards.
func TestSumDescribesEveryStream(t *testing.T) {
	t.Parallel()
	parts := []Part{{"SUCCESS", `{"z":{"events":2,"bytes":9,"status":"SUCCESS","note":"n","shard":7}}`, ""}, {Status: "RUNNING", Description: "Started"}}
	got, err := Sum(plan(t, []string{"z", "b", "a"}, 0, 1, 0), parts)
	want := `{"z":{"events":2,"bytes":9,"status":"SUCCESS","note":"n","shard":0},"b":{"events":0,"bytes":0,"status":"PENDING","shard":1},` +
		`"a":{"events":0,"bytes":0,"status":"FAILED","error":"the connector did not name it to shard 0","shard":0}}`
	if err != nil || got.Description != want {
		t.Errorf("%v\n got %s\nwant %s", err, got.Description, want)
	}
	if !json.Valid([]byte(got.Description)) {
		t.Error("no JSON")
	}
}
