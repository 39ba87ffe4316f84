package loader

import (
	"io"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sync-sidecar/sidecar"
)

// TestExactlyOnce plays random syncs whose loads fail, whose answers are lost, and whose streams end badly: at every commit, each table without a key
// holds what the committed state covers.
func TestExactlyOnce(t *testing.T) {
	for seed := range uint64(150) {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { playVault(t, rand.New(rand.NewPCG(seed, 7))) })
		})
	}
}

func playVault(t *testing.T, random *rand.Rand) {
	t.Helper()
	streams := make([]sidecar.StreamConfig, 1+random.IntN(4))
	for i := range streams {
		streams[i].Incremental = random.IntN(4) > 0
		if random.IntN(4) == 0 {
			streams[i].Table.PrimaryKey = [][]string{{"n"}}
		}
	}
	v := newVault(t, func(c *Config) {
		c.Batch.Rows, c.Retry.For = int64(8+random.IntN(200)), time.Hour
		c.Spool.Memory = int64(random.IntN(3)) << 10
	}, streams...)
	dice := &dice{random: rand.New(rand.NewPCG(random.Uint64(), 1))}
	v.into.OnLoad = func(_ sidecar.Load, rows io.Reader) error {
		time.Sleep(time.Duration(dice.roll(3000)) * time.Millisecond)
		if dice.roll(4) == 0 {
			_, _ = io.CopyN(io.Discard, rows, int64(dice.roll(100)))
			return &sidecar.LoadError{Message: "connection reset", Unknown: true}
		}
		return nil
	}
	v.into.OnCommit = func() error {
		if dice.roll(5) == 0 {
			return &sidecar.LoadError{Message: "connection reset after commit", Unknown: true}
		}
		return nil
	}
	global := random.IntN(2) == 0
	for range 200 {
		stream := random.IntN(len(streams))
		switch random.IntN(8) {
		case 0, 1, 2, 3:
			v.rows(stream, random.IntN(60))
		case 4, 5:
			if global && streams[stream].Incremental {
				stream = -1
			}
			v.state(stream)
		case 6:
			time.Sleep(time.Duration(random.IntN(10_000)) * time.Millisecond)
			v.loader.Tick(time.Now())
		default:
			v.keyless().exact(false)
		}
	}
	var broken []int
	for stream := range streams {
		if random.IntN(3) == 0 {
			broken = append(broken, stream)
		}
	}
	if random.IntN(2) == 0 { // late states
		for stream, config := range streams {
			if config.Incremental && !slices.Contains(broken, stream) {
				v.loader.End(stream, true)
				time.Sleep(time.Duration(random.IntN(5000)) * time.Millisecond)
				v.keyless().exact(false)
				if global {
					v.state(-1)
				} else {
					v.state(stream)
				}
			}
		}
	}
	v.finish(broken...)
	v.keyless().exact(true)
	for i := range streams {
		if err := v.loader.Progress()[i].Err; err != nil {
			t.Fatalf("stream %d: %v", i, err)
		}
	}
	if want := v.sent; len(broken) == 0 {
		v.expectRows(want...)
	}
}

// dice are for several goroutines.
type dice struct {
	mu sync.Mutex
	// +checklocks:mu
	random *rand.Rand
}

func (d *dice) roll(n int) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.random.IntN(n)
}

// keyless is the vault without what may be ahead of its state: tables with a key.
func (v *vault) keyless() *vault {
	other := *v
	other.configs, other.sent, other.at = nil, nil, map[string][]int{}
	var kept []int
	for i, config := range v.configs {
		if len(config.Table.PrimaryKey) == 0 {
			kept = append(kept, i)
			other.configs, other.sent = append(other.configs, config), append(other.sent, v.sent[i])
		}
	}
	for content, at := range v.at {
		for _, i := range kept {
			other.at[content] = append(other.at[content], at[i])
		}
	}
	return &other
}
