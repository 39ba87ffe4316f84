// Package share decides how the streams of one read are shared out among Pods, its shards, and what the ends of all shards say of the whole task.
//
// The plan is the description of the whole task's row: its per-stream JSON, as Jitsu's console reads it, with the index of a shard beside each
// stream. So there is one place that all shards agree by, and a person can see it. The package is pure.
package share

import (
	"cmp"
	"encoding/json"
	"slices"
)

// told is what a task's description says of a stream.
type told struct {
	Events    int64 `json:"events"`
	Bytes     int64 `json:"bytes"`
	Estimated int64 `json:"estimated_rows"`
}

// assumedRow is how long a row is taken to be where a connector estimated rows and sent none, in bytes.
const assumedRow = 200

// weight is how many bytes the stream may bring, by what it brought or was estimated to.
func (t told) weight() int64 {
	switch {
	case t.Estimated <= t.Events:
		return t.Bytes
	case t.Events == 0:
		return t.Estimated * assumedRow
	}
	return int64(float64(t.Bytes) * float64(t.Estimated) / float64(t.Events))
}

// Weights are how much each stream brought, in bytes, by the descriptions of earlier tasks, newest first: what the newest one tells that saw any of
// the stream's rows. Descriptions that are none are passed over.
func Weights(descriptions []string) map[string]int64 {
	weights := map[string]int64{}
	for _, description := range descriptions {
		var streams map[string]told
		if json.Unmarshal([]byte(description), &streams) != nil {
			continue
		}
		for stream, said := range streams {
			if weights[stream] == 0 {
				weights[stream] = said.weight()
			}
		}
	}
	return weights
}

// Divide gives each stream, by its position, the shard that reads it. The heaviest go first, each to the shard that has the least so far (longest
// processing time first, which is at most a third worse than the best there is). A stream that no earlier task tells of is taken to be of the middle
// size, and even an empty one costs its requests. The same input always gives the same answer.
func Divide(streams []string, weights map[string]int64, shards int) []int {
	heavy := make([]int64, len(streams))
	var sum, known int64
	for _, stream := range streams {
		if weight, found := weights[stream]; found {
			sum, known = sum+weight, known+1
		}
	}
	const leastPart = 20 // of the average is the least that a stream weighs
	average := int64(1)
	if known > 0 {
		average = max(1, sum/known)
	}
	order := make([]int, len(streams))
	for i, stream := range streams {
		order[i], heavy[i] = i, average
		if weight, found := weights[stream]; found {
			heavy[i] = max(1, weight, average/leastPart)
		}
	}
	slices.SortFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(heavy[b], heavy[a]), cmp.Compare(streams[a], streams[b]))
	})
	answer, loads, counts := make([]int, len(streams)), make([]int64, shards), make([]int, shards)
	for _, i := range order {
		least := 0
		for shard := 1; shard < shards; shard++ {
			if cmp.Or(cmp.Compare(loads[shard], loads[least]), cmp.Compare(counts[shard], counts[least])) < 0 {
				least = shard
			}
		}
		answer[i] = least
		loads[least] += heavy[i]
		counts[least]++
	}
	return answer
}
