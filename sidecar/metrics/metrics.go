// Package metrics shows a session to what operators watch with: as Prometheus metrics by HTTP, with health checks, and by OTLP push, for Jobs that
// end before anybody scrapes them. In comes a function that says how the session stands; nothing here holds the session up.
//
// How many series there are does not grow with the data: streams beyond mostStreams are counted together, and no label holds a task, an error or a
// row.
package metrics

import (
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"sync-sidecar/sidecar"
)

// mostStreams is how many streams have series of their own; the others share those of otherStreams.
const (
	mostStreams  = 300
	otherStreams = "_others"
)

// Info is what does not change.
type Info struct {
	Version  string
	Identity sidecar.Identity
	Command  sidecar.Command
}

// Metrics is one session, as it is now. Its methods may be called from several goroutines.
type Metrics struct {
	registry *prometheus.Registry
	began    time.Time

	mu sync.Mutex
	// +checklocks:mu
	now func() sidecar.Live // nil before the session begins
	// +checklocks:mu
	ended *sidecar.Report // the outcome; nil before
}

// New makes the metrics of a session that has not begun.
func New(info Info) (*Metrics, error) {
	m := &Metrics{registry: prometheus.NewRegistry(), began: time.Now()}
	labels := prometheus.Labels{"sync": info.Identity.SyncID}
	if shard := info.Identity.Shard; shard.Active() { // the shards of a read are of one sync, whoever scrapes them or takes what they push
		labels["shard"] = strconv.Itoa(shard.Index)
	}
	own := prometheus.WrapRegistererWith(labels, m.registry)
	for _, collector := range []prometheus.Collector{
		&collector{metrics: m, info: info, descriptions: describe()},
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		collectors.NewGoCollector(),
	} {
		if err := own.Register(collector); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// Watch takes what says how the session stands.
func (m *Metrics) Watch(now func() sidecar.Live) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now = now
}

// Ended takes the outcome.
func (m *Metrics) Ended(report sidecar.Report) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ended = &report
}

// begun says that the session has begun: its servers answered.
func (m *Metrics) begun() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.now != nil
}

// live is how the session stands. No lock is held while it is asked.
func (m *Metrics) live() sidecar.Live {
	m.mu.Lock()
	now, ended := m.now, m.ended
	m.mu.Unlock()
	live := sidecar.Live{Report: sidecar.Report{Status: sidecar.StatusPending}}
	if now != nil {
		live = now()
	}
	if ended != nil {
		live.Report = *ended
	}
	return live
}
