package docker

import (
	"context"
	"encoding/json"
	"time"

	"github.com/docker/docker/api/types/container"

	"sync-sidecar/runner"
)

// usage tells about once a second what a container uses, until it or ctx ends. What the Engine does not tell is not shown: nobody needs it.
func (r *Runner) usage(ctx context.Context, name string, event func(runner.Event)) {
	stats, err := r.engine.ContainerStats(ctx, name, true)
	if err != nil {
		return
	}
	defer stats.Body.Close()
	decoder := json.NewDecoder(stats.Body)
	for {
		var sample container.StatsResponse
		if decoder.Decode(&sample) != nil {
			return
		}
		if used := usageOf(sample); used.Memory > 0 {
			event(runner.Event{Usage: &used})
		}
	}
}

// usageOf reads a sample as `docker stats` does: without the page cache that the kernel can take back, of which cgroup 1 and 2 have other names.
func usageOf(sample container.StatsResponse) runner.Usage {
	memory := sample.MemoryStats
	cache := memory.Stats["inactive_file"]
	if total, found := memory.Stats["total_inactive_file"]; found {
		cache = total
	}
	used := runner.Usage{Memory: int64(memory.Usage)}
	if cache < memory.Usage {
		used.Memory = int64(memory.Usage - cache)
	}
	const noLimit = 1 << 60 // what the kernel says for none is close to the largest number
	if memory.Limit < noLimit {
		used.MemoryLimit = int64(memory.Limit)
	}
	passed := sample.Read.Sub(sample.PreRead)
	if before, now := sample.PreCPUStats.CPUUsage.TotalUsage, sample.CPUStats.CPUUsage.TotalUsage; passed > 0 && passed < time.Minute && now > before {
		used.CPUs = float64(now-before) / float64(passed)
	}
	return used
}
