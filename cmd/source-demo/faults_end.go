package main

import (
	"fmt"
	"strconv"
	"syscall"
	"time"
)

// Faults that end the source, a stream of it, or its patience.

type exitFault struct {
	Trigger
	Code int `json:"code"`
}

func (f *exitFault) strike(*job, *streamRun) error { return exit(f.Code) }

type killFault struct {
	Trigger
	Signal string `json:"signal"`
}

// strike leaves nothing unwritten, so that a test knows what was sent; cut_last_line is for the other case.
func (f *killFault) strike(j *job, _ *streamRun) error {
	if err := j.out.flush(); err != nil {
		return err
	}
	signal := map[string]syscall.Signal{"KILL": syscall.SIGKILL, "TERM": syscall.SIGTERM, "HUP": syscall.SIGHUP, "INT": syscall.SIGINT}[f.Signal]
	if err := j.world.kill(signal); err != nil {
		return fmt.Errorf("kill self: %w", err)
	}
	// The signal is on its way. TERM and INT come back as a request to stop; as process 1 of a container the others may not come at all.
	if err := j.wait(time.Second); err != nil {
		return err
	}
	return exit(exitSignal + int(signal))
}

type cutFault struct {
	Trigger
	Code int `json:"code"`
}

func (f *cutFault) strike(_ *job, run *streamRun) error {
	if run == nil {
		return exit(f.Code)
	}
	return run.alterNext(func(line []byte) []byte { return line[:len(line)/2] }, func() error { return exit(f.Code) })
}

type errorFault struct {
	Trigger
	Message         string `json:"message"`
	InternalMessage string `json:"internal_message"`
	FailureType     string `json:"failure_type"`
	Global          bool   `json:"global"`
	Code            int    `json:"code"`
}

func (f *errorFault) strike(_ *job, run *streamRun) error {
	failure := &failure{message: f.Message, internal: f.InternalMessage, failureType: f.FailureType, code: f.Code}
	if f.Global || run == nil {
		return failure
	}
	return &streamFailure{failure: failure}
}

type silenceFault struct {
	Trigger
	Seconds float64 `json:"seconds"`
}

func (f *silenceFault) strike(j *job, _ *streamRun) error { return j.wait(seconds(f.Seconds)) }

type rateLimitFault struct {
	Trigger
	Seconds float64 `json:"seconds"`
}

func (f *rateLimitFault) strike(j *job, run *streamRun) error {
	pause := seconds(f.Seconds)
	if run != nil && !j.config.NoStatuses {
		reset := reason{Type: "RATE_LIMITED", RateLimited: quotaReset{QuotaReset: j.world.now().Add(pause).UnixMilli()}}
		// The CDK gives no namespace here (http_client.py).
		status := &streamStatus{Stream: descriptor{Name: run.name}, Status: statusRunning, Reasons: []reason{reset}}
		if err := j.trace(trace{Type: "STREAM_STATUS", StreamStatus: status}); err != nil {
			return err
		}
	}
	if err := j.log("INFO", "Retrying. Sleeping for "+strconv.FormatFloat(f.Seconds, 'f', -1, 64)+" seconds"); err != nil {
		return err
	}
	return j.wait(pause)
}

type closeFault struct {
	Trigger
	Seconds float64 `json:"seconds"`
	Code    int     `json:"code"`
}

func (f *closeFault) strike(j *job, _ *streamRun) error {
	if err := j.out.close(); err != nil {
		return err
	}
	if err := j.wait(seconds(f.Seconds)); err != nil {
		return err
	}
	return exit(f.Code)
}

type grandchildFault struct {
	Trigger
	Seconds float64 `json:"seconds"`
}

func (f *grandchildFault) strike(j *job, _ *streamRun) error {
	return j.world.spawnHolder(seconds(f.Seconds))
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
