package sidecar

import (
	"context"
	"fmt"
)

// Shard is one Pod's part of a read whose streams are shared out among several Pods, each of which is a whole session for its streams. The zero value
// is a read that is not shared out.
type Shard struct {
	Task  string // of the whole read; Identity.TaskID is that of this shard
	Index int    // from 0
	Count int    // how many shards there are
}

// Active says that the read is shared out.
func (s Shard) Active() bool { return s.Count > 1 }

// TaskID is that of the shard's own task.
func (s Shard) TaskID() string { return shardTaskID(s.Task, s.Index) }

// TaskIDs are those of all shards, by their index.
func (s Shard) TaskIDs() []string {
	ids := make([]string, s.Count)
	for i := range ids {
		ids[i] = shardTaskID(s.Task, i)
	}
	return ids
}

// String names the shard in messages.
func (s Shard) String() string { return fmt.Sprintf("shard %d of %d", s.Index, s.Count) }

func shardTaskID(task string, index int) string { return fmt.Sprintf("%s-%d", task, index) }

// Sharer is a Journal by which the shards of a read agree on who reads what, although they start at different times, and their connectors may name
// different streams.
type Sharer interface {
	// Share returns the index of the shard that reads each stream, as the first shard that asked had it decided. A stream that this one did not name is
	// read by no shard, and missing in the answer.
	Share(ctx context.Context, streams []string) (map[string]int, error)
}

// What is recorded of shards that came to no verdict, by others.
const (
	LostShardText = "its Pod ended without a verdict (killed, out of memory, or its node is gone); another Pod of it, or the next run, " +
		"goes on from its last saved state"
	AbsentShardText = "its Pod never began"
)

// Settler is a Journal that can record the end of a task for those who did not come to it.
type Settler interface {
	// Settle records the status, FAILED or CANCELLED, of this task where it has come to no verdict and nobody is at work on it; of a shard's, of all
	// shards of the read, and what this makes of the whole. Call it when nobody is to begin with the task any more. It takes no lock of the sync.
	Settle(ctx context.Context, status Status) error
}
