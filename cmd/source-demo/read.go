package main

import (
	"errors"
	"fmt"
	"strings"
)

// The statuses of a stream.
const (
	statusStarted    = "STARTED"
	statusRunning    = "RUNNING"
	statusComplete   = "COMPLETE"
	statusIncomplete = "INCOMPLETE"
)

// read reads the streams of the catalog.
func (j *job) read() error {
	if err := j.rotateToken(); err != nil {
		return err
	}
	if err := j.config.authorize(); err != nil {
		return configFailure(err)
	}
	if err := j.log("INFO", "Starting syncing SourceDemo"); err != nil {
		return err
	}
	if err := j.prepare(); err != nil {
		return err
	}
	each := j.sequential
	if j.config.Interleave {
		each = j.interleaved
	}
	if err := each(); err != nil {
		var stop stopped
		if errors.As(err, &stop) {
			err := j.interrupt(stop)
			if j.deviates("stop_exits_0") {
				return errors.Join(err, exit(exitOK))
			}
			return errors.Join(err, stop)
		}
		return err
	}
	return j.finishRead()
}

// prepare makes a run of each stream of the catalog. One that the source does not have is INCOMPLETE, and nothing more (abstract_source.py).
func (j *job) prepare() error {
	configured, err := loadCatalog(j.args.catalog, j.config.Faults.Deviation)
	if err != nil && j.deviates("bad_catalog_accepted") {
		return nil
	}
	if err != nil {
		return configFailure(err)
	}
	saved, err := loadStates(j.args.state)
	if err != nil {
		return configFailure(err)
	}
	j.data = newDataset(j.config)
	known := map[descriptor]stream{}
	for _, s := range j.config.streams() {
		known[descriptor{Name: s.name, Namespace: j.config.Namespace}] = s
	}
	for _, c := range configured {
		d := descriptor{Name: *c.Stream.Name, Namespace: c.Stream.Namespace}
		s, found := known[d]
		if !found {
			if err := j.missing(d); err != nil {
				return err
			}
			continue
		}
		run, err := newStreamRun(j, s, c, saved.of(d))
		if err != nil {
			return configFailure(err)
		}
		j.runs = append(j.runs, run)
	}
	if !j.config.EmitEstimates {
		return nil
	}
	for _, run := range j.runs {
		if err := j.trace(trace{Type: "ESTIMATE", Estimate: run.estimate()}); err != nil {
			return err
		}
	}
	return nil
}

func (j *job) missing(d descriptor) error {
	err := j.log("WARN", fmt.Sprintf("The stream %q in your connection configuration was not found in the source; the source has %s.",
		d.Name, abbreviate(j.config.streamNames())))
	return errors.Join(err, j.streamStatus(d, statusIncomplete))
}

// sequential reads one stream after the other.
func (j *job) sequential() error {
	for _, run := range j.runs {
		err := j.start(run)
		for err == nil && !run.atEnd() {
			err = j.step(run)
		}
		if err == nil {
			err = j.finish(run)
		}
		if err = j.survive(run, err); err != nil {
			return err
		}
	}
	return nil
}

// interleaved reads a row of each stream in turn.
func (j *job) interleaved() error {
	open := append([]*streamRun(nil), j.runs...)
	for len(open) > 0 {
		still := open[:0]
		for _, run := range open {
			more, err := j.turn(run)
			if err = j.survive(run, err); err != nil {
				return err
			}
			if more && !run.failed {
				still = append(still, run)
			}
		}
		open = still
	}
	return nil
}

// turn reads a row of a stream, or finishes it.
func (j *job) turn(run *streamRun) (more bool, err error) {
	if !run.started {
		if err := j.start(run); err != nil {
			return false, err
		}
	}
	if run.atEnd() {
		return false, j.finish(run)
	}
	return true, j.step(run)
}

// survive ends a stream that failed and lets the others go on. The trace comes before INCOMPLETE in concurrent sources and after it in sequential
// ones (concurrent_read_processor.py, abstract_source.py).
func (j *job) survive(run *streamRun, err error) error {
	var failed *streamFailure
	if !errors.As(err, &failed) {
		return err
	}
	run.failed = true
	j.failures = append(j.failures, failure{message: run.name + ": " + failed.message, code: failed.code})
	said := func() error { return j.errorTrace(failed.failure, &descriptor{Name: run.name}) } // without namespace, as the CDK
	marked := func() error { return j.streamStatus(run.described(), statusIncomplete) }
	if j.config.Interleave {
		return errors.Join(said(), marked())
	}
	return errors.Join(marked(), said())
}

// start opens a stream.
func (j *job) start(run *streamRun) error {
	run.started = true
	if err := j.log("INFO", "Marking stream "+run.name+" as STARTED"); err != nil {
		return err
	}
	if !j.deviates("no_started") {
		if err := j.streamStatus(run.described(), statusStarted); err != nil {
			return err
		}
	}
	run.strikeAt = j.strikes.nextOf(run.name)
	return nil
}

// step lets due faults strike and reads one row.
func (j *job) step(run *streamRun) error {
	if j.rows >= j.strikes.next || run.read >= run.strikeAt {
		if err := j.due(run); err != nil {
			return err
		}
	}
	if err := j.stop(); err != nil {
		return err
	}
	if run.read == 0 {
		if err := j.streamStatus(run.described(), statusRunning); err != nil {
			return err
		}
	}
	if err := j.breakDebugLines(run); err != nil {
		return err
	}
	if err := run.record(); err != nil {
		return err
	}
	if since := run.sinceState; run.checkpoints && (since >= j.config.RecordsPerState || j.sinceState >= j.config.RecordsPerState && j.oneState) {
		if err := j.state(run); err != nil {
			return err
		}
	}
	if j.config.Rate > 0 {
		return j.pace()
	}
	return nil
}

// finish closes a stream that was read to its end.
func (j *job) finish(run *streamRun) error {
	if j.rows >= j.strikes.next || run.read >= run.strikeAt {
		if err := j.due(run); err != nil {
			return err
		}
	}
	if err := j.log("INFO", fmt.Sprintf("Read %d records from %s stream", run.read, run.name)); err != nil {
		return err
	}
	last := func() error { return j.state(run) }
	complete := func() error {
		if j.deviates("no_complete") && run.kind == orders {
			return nil
		}
		return j.streamStatus(run.described(), statusComplete)
	}
	run.done = true
	if j.config.Faults.LateStates {
		return errors.Join(complete(), last())
	}
	return errors.Join(last(), complete())
}

// interrupt ends the job on a signal: what was read is covered by a last STATE, and what is not read is INCOMPLETE.
func (j *job) interrupt(stop stopped) error {
	j.world.signals = nil // a second one changes nothing
	if err := j.wait(seconds(j.config.Faults.SlowStop)); err != nil {
		return err
	}
	if j.deviates("stop_counts_ahead") {
		j.statsError = ahead
	}
	err := j.log("WARN", stop.Error())
	for _, run := range j.runs {
		if !run.started || run.done || run.failed {
			continue
		}
		if run.checkpoints {
			err = errors.Join(err, j.state(run))
		}
		err = errors.Join(err, j.streamStatus(run.described(), statusIncomplete))
	}
	return err
}

// finishRead says how it went; a stream that failed makes the whole job fail (abstract_source.py).
func (j *job) finishRead() error {
	if j.config.EmitAnalytics {
		if err := j.trace(trace{Type: "ANALYTICS", Analytics: &analytics{Type: "demo-records-read", Value: fmt.Sprint(j.rows)}}); err != nil {
			return err
		}
	}
	if err := j.log("INFO", "Finished syncing SourceDemo"); err != nil {
		return err
	}
	if len(j.failures) > 0 {
		var texts []string
		for _, f := range j.failures {
			texts = append(texts, f.message)
		}
		general := &failure{message: "During the sync, the following streams did not sync successfully: " + strings.Join(texts, "; "),
			failureType: failureConfig, code: j.failures[0].code}
		return errors.Join(j.errorTrace(general, nil), exit(general.code))
	}
	if hang := j.config.Faults.HangAfterEOF; hang > 0 {
		if err := errors.Join(j.out.close(), j.world.stderr.Close()); err != nil {
			return err
		}
		if err := j.wait(seconds(hang)); err != nil {
			return err
		}
	}
	if code := j.config.Faults.CrashAfterComplete; code > 0 {
		return exit(code)
	}
	return nil
}

func (j *job) streamStatus(d descriptor, status string) error {
	if j.config.NoStatuses {
		return nil
	}
	return j.trace(trace{Type: "STREAM_STATUS", StreamStatus: &streamStatus{Stream: d, Status: status}})
}
