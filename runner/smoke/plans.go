package smoke

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"time"

	"sync-sidecar/runner"
	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
	"sync-sidecar/sidecar/recording"
)

// stopMargin is how much longer than the connector the recorder waits: to see it killed.
const stopMargin = 15 * time.Second

func (s *scenario) planSpec() (plan, string) { return plan{command: sidecar.CommandSpec}, "" }

func (s *scenario) planCheck() (plan, string) { return plan{command: sidecar.CommandCheck}, "" }

func (s *scenario) planBadConfig() (plan, string) {
	switch {
	case s.unrunnable:
		return plan{}, s.refused()
	case s.settings.BadConfig == nil:
		return plan{}, "no --bad-config was given: a configuration that check has to refuse"
	}
	return plan{command: sidecar.CommandCheck, config: s.settings.BadConfig}, ""
}

// refused is why nothing more is asked of the connector; empty when its check went well.
func (s *scenario) refused() string {
	if s.unrunnable {
		return "the connector cannot be run"
	}
	e := s.evidence[stepCheck]
	if e == nil || len(e.Statuses) > 0 && e.Statuses[0].Status == checkSucceeded {
		return ""
	}
	return "check did not succeed"
}

func (s *scenario) planDiscover() (plan, string) {
	return plan{command: sidecar.CommandDiscover}, s.refused()
}

// badCatalog is what the CDK's own tests give a connector that has to refuse it (test_fail_read_with_bad_catalog).
const badCatalog = `{"streams":[{"stream":{"name":"__sync_sidecar_no_such_stream__","json_schema":{"type":"object","properties":{}},` +
	`"supported_sync_modes":["full_refresh","incremental"]},"sync_mode":"INVALID","destination_sync_mode":"INVALID"}]}`

func (s *scenario) planBadCatalog() (plan, string) {
	return plan{command: sidecar.CommandRead, catalog: []byte(badCatalog)}, s.refused()
}

// configured is the catalog to read, which it keeps as its author wrote it, too, or why there is none.
func (s *scenario) configured() (airbyte.ConfiguredCatalog, string, error) {
	raw := json.RawMessage(s.settings.Task.Catalog)
	if raw == nil {
		if s.catalog() == nil {
			return airbyte.ConfiguredCatalog{}, "discover brought no catalog", nil
		}
		var err error
		if raw, _, err = runner.Configure(s.catalog(), s.settings.Selection); err != nil {
			if len(s.settings.Selection.Streams) > 0 {
				return airbyte.ConfiguredCatalog{}, "", &runner.Error{Code: sidecar.ExitUsage, Err: err}
			}
			return airbyte.ConfiguredCatalog{}, err.Error(), nil
		}
	}
	catalog, err := airbyte.ParseConfiguredCatalog(raw)
	if err != nil {
		return catalog, "the catalog cannot be read: " + err.Error(), nil //nolint:nilerr // it is the connector's fault, and told as such
	}
	if len(catalog.Streams) == 0 {
		return catalog, "the catalog has no streams", nil
	}
	s.readSent = raw
	return catalog, "", nil
}

// rounds bounds the reads that it takes until every stream was reached: each stream that is far larger than the limit takes one.
const rounds = 100

// readAll reads every stream. A connector that reads one after the other is stopped in a stream that is far larger than the limit, and started again
// for those that it did not reach.
func (s *scenario) readAll(ctx context.Context) error {
	if !s.wanted[stepRead] {
		return nil
	}
	if why := s.refused(); why != "" {
		s.why[stepRead] = why
		return nil
	}
	catalog, why, err := s.configured()
	if err != nil || why != "" {
		s.why[stepRead] = why
		return err
	}
	s.read = catalog
	left := catalog.Streams
	for round := 1; len(left) > 0 && round <= rounds; round++ {
		folder := stepRead
		if round > 1 {
			folder = fmt.Sprintf("%s-%d", stepRead, round)
		}
		if s.folders[stepRead] == "" {
			s.folders[stepRead] = filepath.Join(s.settings.Dir, stepRead)
		}
		e, err := s.run(ctx, stepRead, folder, s.planRead(left))
		if err != nil {
			return err
		}
		if before := s.evidence[stepRead]; before != nil {
			e = before.join(e)
		}
		s.evidence[stepRead] = e
		if !e.Recording.Enough {
			return nil
		}
		left = e.unreached(len(left))
	}
	return nil
}

// unreached are the streams that a stopped read did not come to; none when it did not come to any, so that there is an end.
func (e *Evidence) unreached(asked int) []airbyte.ConfiguredStream {
	var left []airbyte.ConfiguredStream
	for _, stream := range e.Streams {
		if stream.Rows == 0 && stream.Cut {
			left = append(left, stream.Configured)
		}
	}
	if len(left) >= asked {
		return nil
	}
	return left
}

// join adds a later round: its streams take the place of those that were not reached. Line numbers are those of each round.
func (e *Evidence) join(later *Evidence) *Evidence {
	for i, stream := range e.Streams {
		found := later.byName[stream.Descriptor]
		if found == nil {
			continue
		}
		e.Streams[i], e.byName[stream.Descriptor] = found, found
	}
	for kind, seen := range later.Damage {
		if e.Damage[kind] == nil {
			e.Damage[kind] = &Seen{}
		}
		e.Damage[kind].Count += seen.Count
	}
	e.Errors, e.Leaks, e.States = append(e.Errors, later.Errors...), append(e.Leaks, later.Leaks...), append(e.States, later.States...)
	e.Rows, e.RowBytes, e.LogBytes, e.Lost = e.Rows+later.Rows, e.RowBytes+later.RowBytes, e.LogBytes+later.LogBytes, e.Lost+later.Lost
	e.Text.Count += later.Text.Count
	e.ErrorLogs.Count += later.ErrorLogs.Count
	for name, seen := range later.Unknown {
		e.Unknown[name] = seen
	}
	if later.Longest.Bytes > e.Longest.Bytes {
		e.Longest = later.Longest
	}
	if later.Config != nil {
		e.Config = later.Config
	}
	seconds := e.Recording.Seconds + later.Recording.Seconds
	e.Recording, e.Failure, e.Killed = later.Recording, later.Failure, later.Killed
	e.Recording.Seconds = seconds
	return e
}

// planRead reads streams of the catalog up to the limit.
func (s *scenario) planRead(streams []airbyte.ConfiguredStream) plan {
	wanted := make(map[airbyte.StreamDescriptor]bool, len(streams))
	for _, stream := range streams {
		wanted[stream.Stream.Descriptor()] = true
	}
	catalog, err := runner.KeepStreams(s.readSent, func(stream airbyte.StreamDescriptor) bool { return wanted[stream] })
	if err != nil { // cannot be: it was JSON
		catalog = []byte("{}")
	}
	return plan{command: sidecar.CommandRead, catalog: catalog, streams: streams,
		limit: recording.Limit{Rows: s.settings.Limit, Streams: len(streams)}}
}

// unread is why the later reads are not worth it; empty when the first one went well.
func (s *scenario) unread() string {
	e := s.evidence[stepRead]
	switch {
	case e == nil:
		return "there was no read to begin with"
	case !e.sound() || !e.complete():
		return "the first read failed"
	case e.Lost > 0:
		return "the first read lost lines"
	}
	return ""
}

func (s *scenario) planAgain() (plan, string) { return s.planFrom(stepAgain, (*Evidence).last) }

func (s *scenario) planResume() (plan, string) { return s.planFrom(stepResume, (*Evidence).middle) }

// planFrom reads from the states that choose takes of the first read.
func (s *scenario) planFrom(step string, choose func(*Evidence) checkpoint) (plan, string) {
	if why := s.unread(); why != "" {
		return plan{}, why
	}
	point := choose(s.evidence[stepRead])
	if point.file == nil && step == stepResume {
		return plan{}, "no stream that is read incrementally had a state with records before and after it: read more (--limit), or larger streams"
	}
	if point.file == nil {
		return plan{}, "no stream is read incrementally, or none has a state"
	}
	s.points[step] = point
	streams := make([]airbyte.ConfiguredStream, len(point.streams))
	for i, stream := range point.streams {
		streams[i] = stream.Configured
	}
	p := s.planRead(streams)
	p.state = point.file
	return p, ""
}

func (s *scenario) planStop() (plan, string) {
	if why := s.unread(); why != "" {
		return plan{}, why
	}
	if s.evidence[stepRead].Rows == 0 {
		return plan{}, "there are no records in whose middle it could be stopped"
	}
	p := s.planRead(s.read.Streams)
	p.limit = recording.Limit{First: true}
	return p, ""
}

func (s *scenario) planDebug() (plan, string) {
	if why := s.unread(); why != "" {
		return plan{}, why
	}
	p := s.planRead(s.read.Streams)
	p.env = []string{"LOG_LEVEL=DEBUG"}
	return p, ""
}
