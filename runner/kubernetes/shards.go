package kubernetes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"sync-sidecar/runner"
	"sync-sidecar/sidecar"
)

// lostPods is how often a shard gets another Pod for one that the cluster, or somebody else, took away.
const lostPods = 3

// runShards carries out a read by several Pods at once, each of which reads a part of the streams. They find each other by the task's id in Postgres,
// which the caller has seen to (manifest.Options.CheckShards).
func (r *Runner) runShards(ctx context.Context, task runner.Task, watch runner.Watch) (runner.Outcome, error) {
	streams, err := streamsOf(task.Catalog)
	if err != nil {
		return runner.Outcome{}, err
	}
	shards := min(r.options.Pod.Shards, len(streams))
	if shards < 2 {
		return r.runPod(ctx, task, watch)
	}
	all := newCrowd(shards, streams, watch)
	var running sync.WaitGroup
	for i := range shards {
		running.Go(func() {
			all.ends[i].outcome, all.ends[i].err = r.runShard(ctx, shardOf(task, i, shards), all.watchOf(i))
		})
	}
	running.Wait()
	if slices.ContainsFunc(all.ends, shardEnd.unsettled) {
		r.settle(ctx, shardOf(task, 0, shards), watch)
	}
	return all.outcome()
}

// streamsOf are the names of the streams of a configured catalog, in its order.
func streamsOf(catalog json.RawMessage) ([]string, error) {
	var configured struct {
		Streams []struct {
			Stream struct {
				Name      string `json:"name"`
				Namespace string `json:"namespace"`
			} `json:"stream"`
		} `json:"streams"`
	}
	if err := json.Unmarshal(catalog, &configured); err != nil {
		return nil, fmt.Errorf("read the catalog: %w", err)
	}
	var names []string
	for _, entry := range configured.Streams {
		name := entry.Stream.Name
		if entry.Stream.Namespace != "" {
			name = entry.Stream.Namespace + "." + name
		}
		names = append(names, name)
	}
	return names, nil
}

// shardOf is the part of a task that one Pod carries out. It has the id of the whole task, to which the sidecar adds the shard's index.
func shardOf(task runner.Task, index, count int) runner.Task {
	settings := maps.Clone(task.Settings)
	if settings == nil {
		settings = map[string]string{}
	}
	settings["SHARDS"], settings["SHARD"] = strconv.Itoa(count), strconv.Itoa(index)
	task.Settings = settings
	return task
}

// runShard runs the Pod of a shard, and another one where that is taken away: the next one goes on from what the one before saved. A Pod that
// somebody deletes in good order ends as cancelled although this run was not.
func (r *Runner) runShard(ctx context.Context, task runner.Task, watch runner.Watch) (runner.Outcome, error) {
	began := false
	for lost := 0; ; lost++ {
		outcome, err := r.runPod(ctx, task, watch)
		began = began || outcome.Sidecar.Started
		outcome.Sidecar.Started = began
		why := ""
		switch {
		case errors.Is(err, errTaken):
			why = err.Error()
		case errors.Is(err, errGone), apierrors.IsNotFound(err), outcome.Cancelled():
			why = "the Pod was deleted"
		}
		if why == "" || lost == lostPods || stopped(ctx, watch) {
			return outcome, err
		}
		watch.Event(runner.Note("WARN", why+": another Pod goes on"))
	}
}

// stopped says that the run is to end.
func stopped(ctx context.Context, watch runner.Watch) bool {
	select {
	case <-watch.Stop:
		return true
	case <-ctx.Done():
		return true
	default:
		return false
	}
}

// nameOfShard is what is added to the name of the objects of a shard.
func nameOfShard(task runner.Task) string {
	if index := task.Settings["SHARD"]; index != "" {
		return "-" + strings.ToLower(index)
	}
	return ""
}

// exitCode is that of the whole: of a failure the one that all failed shards have in common.
func exitCode(status sidecar.Status, codes []int) int {
	switch status {
	case sidecar.StatusSuccess, sidecar.StatusPartial, sidecar.StatusTimeExceeded:
		return sidecar.ExitCodeOf(status, false, 0)
	}
	common := sidecar.ExitOK
	for _, code := range codes {
		switch {
		case status == sidecar.StatusCancelled:
			common = max(common, code)
		case code == sidecar.ExitOK || code == common:
		case common == sidecar.ExitOK:
			common = code
		default:
			return sidecar.ExitFailed
		}
	}
	return common
}
