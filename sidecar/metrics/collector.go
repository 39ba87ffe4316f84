package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sync-sidecar/sidecar"
)

// collector turns how the session stands into metrics whenever it is asked to.
type collector struct {
	metrics *Metrics
	info    Info
	descriptions
}

// descriptions are the metrics, as docs/kubernetes.md lists them.
type descriptions struct {
	info, status, exitCode, started                *prometheus.Desc
	read, rows, bytes, estimated, failed           *prometheus.Desc
	batches, waiting, retries, loads               *prometheus.Desc
	statesSaved, statesUnsaved, stateAge, silence  *prometheus.Desc
	defects, logLines, streamsConfigured, warnings *prometheus.Desc
}

func describe() descriptions {
	d := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("sync_sidecar_"+name, help, labels, nil)
	}
	return descriptions{
		info:              d("info", "Always 1: what runs.", "version", "connector", "connector_version", "command"),
		status:            d("status", "1 for the status that the task has, 0 for the others.", "status"),
		exitCode:          d("exit_code", "What the process ends with, once the task has ended."),
		started:           d("start_time_seconds", "When the sidecar began, in seconds since 1970."),
		read:              d("rows_read_total", "Rows that the connector sent.", "stream"),
		rows:              d("rows_total", "Rows that the destination has acknowledged.", "stream"),
		bytes:             d("bytes_total", "Bytes of the rows that the destination has acknowledged.", "stream"),
		estimated:         d("estimated_rows", "Rows of the stream, by the connector's estimate.", "stream"),
		failed:            d("stream_failed", "1 when the stream has failed.", "stream"),
		batches:           d("batches_total", "Batches that the destination has acknowledged.", "stream"),
		waiting:           d("batches_waiting", "Batches that wait for the destination.", "stream"),
		retries:           d("load_failures_total", "Attempts at a load that failed; most are tried again.", "stream"),
		loads:             d("load_seconds", "Attempts at a load, and how long they took.", "stream"),
		statesSaved:       d("states_saved_total", "States saved in the journal."),
		statesUnsaved:     d("states_unsaved", "States whose rows are acknowledged, and that wait for the journal."),
		stateAge:          d("state_age_seconds", "Since a state was last saved, or since the sidecar began."),
		silence:           d("last_message_age_seconds", "Since the connector last said anything, or since the sidecar began."),
		defects:           d("defects_total", "Damaged output of the connector.", "kind"),
		logLines:          d("log_lines_dropped_total", "Log lines that were not taken in time.", "by"),
		streamsConfigured: d("streams", "Streams that the task reads."),
		warnings:          d("warnings", "Warnings for a person to read, in the report."),
	}
}

// Describe is for the registry.
func (c *collector) Describe(descs chan<- *prometheus.Desc) {
	d := c.descriptions
	for _, desc := range []*prometheus.Desc{d.info, d.status, d.exitCode, d.started, d.read, d.rows, d.bytes, d.estimated, d.failed, d.batches,
		d.waiting, d.retries, d.loads, d.statesSaved, d.statesUnsaved, d.stateAge, d.silence, d.defects, d.logLines, d.streamsConfigured, d.warnings} {
		descs <- desc
	}
}

// Collect asks how the session stands.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	live := c.metrics.live()
	gauge := func(desc *prometheus.Desc, value float64, labels ...string) {
		send(out, desc)(prometheus.NewConstMetric(desc, prometheus.GaugeValue, value, labels...))
	}
	counter := func(desc *prometheus.Desc, value float64, labels ...string) {
		send(out, desc)(prometheus.NewConstMetric(desc, prometheus.CounterValue, value, labels...))
	}
	id := c.info.Identity
	gauge(c.descriptions.info, 1, c.info.Version, id.Package, id.PackageVersion, string(c.info.Command))
	for _, status := range []sidecar.Status{sidecar.StatusPending, sidecar.StatusRunning, sidecar.StatusSuccess, sidecar.StatusPartial,
		sidecar.StatusFailed, sidecar.StatusCancelled, sidecar.StatusTimeExceeded} {
		gauge(c.status, truth(live.Report.Status == status), string(status))
	}
	if over(live.Report.Status) {
		gauge(c.exitCode, float64(live.Report.ExitCode))
	}
	const millisecond = 1e3
	gauge(c.started, float64(c.metrics.began.UnixMilli())/millisecond)
	gauge(c.stateAge, c.since(live.LastState))
	gauge(c.silence, c.since(live.LastOutput))
	gauge(c.streamsConfigured, float64(len(live.Report.Streams)))
	gauge(c.warnings, float64(len(live.Report.Warnings)))
	counter(c.statesSaved, float64(live.Report.StatesSaved))
	gauge(c.statesUnsaved, float64(live.Report.StatesUnsaved))
	counter(c.logLines, float64(live.Report.LogLinesNotStored), "sinks")
	counter(c.logLines, float64(live.Report.LogLinesNotShown), "stderr")
	for kind, count := range live.Report.Defects {
		counter(c.defects, float64(count), kind)
	}
	for _, s := range streamsOf(live) {
		counter(c.read, float64(s.report.Read), s.report.Stream)
		counter(c.rows, float64(s.report.Rows), s.report.Stream)
		counter(c.bytes, float64(s.report.Bytes), s.report.Stream)
		if s.report.EstimatedRows > 0 {
			gauge(c.estimated, float64(s.report.EstimatedRows), s.report.Stream)
		}
		gauge(c.failed, truth(s.report.Status == sidecar.StatusFailed), s.report.Stream)
		counter(c.batches, float64(s.loads.Batches), s.report.Stream)
		gauge(c.waiting, float64(s.loads.Waiting), s.report.Stream)
		counter(c.retries, float64(s.loads.Failures), s.report.Stream)
		send(out, c.loads)(prometheus.NewConstSummary(c.loads, uint64(s.loads.Attempts), s.loads.Time.Seconds(), nil, s.report.Stream))
	}
}

// send passes a metric on; what is wrong with it, such as a label that is not UTF-8, costs this one only.
func send(out chan<- prometheus.Metric, desc *prometheus.Desc) func(prometheus.Metric, error) {
	return func(metric prometheus.Metric, err error) {
		if err != nil {
			metric = prometheus.NewInvalidMetric(desc, err)
		}
		out <- metric
	}
}

// since is the seconds since a time, or since the sidecar began.
func (c *collector) since(at time.Time) float64 {
	if at.IsZero() {
		at = c.metrics.began
	}
	return time.Since(at).Seconds()
}

// stream is what is known of one stream, or of the many that share series.
type stream struct {
	report sidecar.StreamReport
	loads  sidecar.StreamLoads
}

// streamsOf are the streams that have series of their own, and the others as one. Two whose namespace and name give the same text share series.
func streamsOf(live sidecar.Live) []stream {
	var streams []stream
	known := map[string]int{}
	for i, report := range live.Report.Streams {
		if len(known) >= mostStreams {
			report.Stream = otherStreams
		}
		s := stream{report: report}
		if i < len(live.Loads) {
			s.loads = live.Loads[i]
		}
		at, is := known[report.Stream]
		if is {
			streams[at].add(s)
			continue
		}
		known[report.Stream] = len(streams)
		streams = append(streams, s)
	}
	return streams
}

// add counts another stream in.
func (s *stream) add(more stream) {
	s.report.Read += more.report.Read
	s.report.Rows += more.report.Rows
	s.report.Bytes += more.report.Bytes
	s.report.EstimatedRows += more.report.EstimatedRows
	if more.report.Status == sidecar.StatusFailed {
		s.report.Status = sidecar.StatusFailed
	}
	s.loads.Batches += more.loads.Batches
	s.loads.Attempts += more.loads.Attempts
	s.loads.Failures += more.loads.Failures
	s.loads.Time += more.loads.Time
	s.loads.Waiting += more.loads.Waiting
}

func truth(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

// over says that a status is an outcome.
func over(status sidecar.Status) bool {
	return status != sidecar.StatusPending && status != sidecar.StatusRunning
}
