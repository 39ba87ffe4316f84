package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"syscall"
	"time"
)

// job is one execution of one command.
type job struct {
	world   world
	args    arguments
	config  *Config
	out     *output
	strikes *strikes
	data    *dataset
	runs    []*streamRun
	rows    int64 // records written
	// sinceState counts the records of all streams since the last STATE; oneState says that there is one for all of them.
	sinceState int64
	oneState   bool
	failures   []failure
	// statsError is added to every recordCount; by a fault.
	statsError int64

	emittedAt       []byte // the end of a record's line, with the time
	emittedAtMillis int64
	paceStart       time.Time
}

// exit ends the source with this code, and without a word.
type exit int

func (e exit) Error() string { return fmt.Sprintf("exit %d", int(e)) }

// stopped is a signal that asks the source to stop.
type stopped struct{ signal syscall.Signal }

func (s stopped) Error() string {
	return fmt.Sprintf("stopped by signal %d (%v)", int(s.signal), s.signal)
}

// failure ends the source with an ERROR trace.
type failure struct {
	message     string
	internal    string
	failureType string
	code        int
}

func (f *failure) Error() string { return f.message }

// streamFailure ends one stream with an ERROR trace; the others go on.
type streamFailure struct{ *failure }

func (f *streamFailure) Error() string { return f.message }

// failureConfig is the failure type of what the user can repair; platforms do not try again after it.
const failureConfig = "config_error"

// configFailure is a failure that the user can repair.
func configFailure(err error) *failure {
	return &failure{message: err.Error(), failureType: failureConfig, code: exitFailed}
}

// execute runs one command line and returns the exit code.
func execute(args []string, w world) int {
	parsed, err := parseArguments(args)
	if err != nil {
		return complain(w, exitUsage, fmt.Sprintf("source-demo: %v\nTry: source-demo --help", err))
	}
	if parsed.help {
		if _, err := w.stdout.Write([]byte(usage)); err != nil {
			return complain(w, exitFailed, fmt.Sprintf("source-demo: write stdout: %v", err))
		}
		return exitOK
	}
	j := &job{world: w, args: parsed, out: newOutput(w.stdout), config: &Config{}}
	return j.end(j.run())
}

// complain is for what cannot be said in the protocol.
func complain(w world, code int, text string) int {
	fmt.Fprintln(w.stderr, text)
	return code
}

func (j *job) run() error {
	if err := j.configure(); err != nil {
		return err
	}
	if j.args.debug {
		debugLine := message{Type: "DEBUG", Message: "Debug logs enabled", Data: map[string]string{"command": j.args.command}}
		if err := j.out.message(debugLine); err != nil {
			return err
		}
	}
	switch j.args.command {
	case commandSpec:
		return j.answer(j.spec)
	case commandCheck:
		return j.answer(j.check)
	case commandDiscover:
		return j.answer(j.discover)
	}
	return j.read()
}

// configure loads the config. A config that says something wrong makes check answer FAILED, as the CDK's entrypoint does.
func (j *job) configure() error {
	load := func() (*Config, error) { return loadConfig(j.args.config) }
	if j.args.command == commandSpec {
		load = func() (*Config, error) { return parseConfig([]byte(cmp.Or(j.world.specConfig, "{}"))) }
	}
	config, err := load()
	switch {
	case errors.Is(err, errInvalidConfig) && j.args.command == commandCheck:
		if err := j.status("FAILED", err.Error()); err != nil {
			return err
		}
		return exit(exitOK)
	case err != nil:
		return configFailure(err)
	}
	j.config = config
	j.out.piece = config.WriteBytes
	j.oneState = config.StateType != stateStream
	j.strikes = newStrikes(&config.Faults, j.args.command)
	if config.Faults.IgnoreSIGTERM {
		j.world.signals = nil
	}
	j.tick()
	j.paceStart = j.world.now()
	return nil
}

// end says what there is to say about how the job went and returns the exit code.
func (j *job) end(err error) int {
	code := exitOK
	var (
		exited exit
		stop   stopped
		fail   *failure
	)
	switch {
	case err == nil:
	case errors.As(err, &exited):
		code = int(exited)
	case errors.As(err, &stop):
		code = exitSignal + int(stop.signal)
	case j.out.err != nil:
		return complain(j.world, exitFailed, fmt.Sprintf("source-demo: %v: whoever reads this source went away", j.out.err))
	case errors.As(err, &fail):
		code = fail.code
		j.crash(fail)
	default:
		code = exitFailed
		j.crash(&failure{message: "Something went wrong in the connector. See the logs for more details.", internal: err.Error(),
			failureType: "system_error"})
	}
	if flushErr := j.out.flush(); flushErr != nil {
		return complain(j.world, exitFailed, fmt.Sprintf("source-demo: %v: whoever reads this source went away", flushErr))
	}
	return code
}

// crash writes what the CDK writes for an uncaught error (exception_handler.py): a FATAL log and an ERROR trace.
func (j *job) crash(f *failure) {
	if err := errors.Join(j.log("FATAL", f.message), j.errorTrace(f, nil)); err != nil && j.out.err == nil {
		complain(j.world, exitFailed, fmt.Sprintf("source-demo: %v", err)) // a failed write is told by the flush that follows
	}
}

func (j *job) errorTrace(f *failure, stream *descriptor) error {
	stack := ""
	if f.failureType != failureConfig { // where the program stood tells a user nothing about their config
		stack = string(debug.Stack())
	}
	return j.trace(trace{Type: "ERROR", Error: &traceError{Message: f.message, InternalMessage: f.internal, StackTrace: stack,
		FailureType: f.failureType, Stream: stream}})
}

func (j *job) log(level, text string) error {
	return j.out.message(message{Type: "LOG", Log: &logMessage{Level: level, Message: text}})
}

func (j *job) trace(t trace) error {
	t.EmittedAt = millisOf(j.world.now())
	return j.out.message(message{Type: "TRACE", Trace: &t})
}

// due lets the faults strike that are due.
func (j *job) due(run *streamRun) error {
	name, rows := "", int64(0)
	if run != nil {
		name, rows = run.name, run.read
	}
	for _, f := range j.strikes.due(j.rows, name, rows) {
		if err := f.strike(j, run); err != nil {
			return err
		}
	}
	if run != nil {
		run.strikeAt = j.strikes.nextOf(name)
	}
	return nil
}

// stop is the signal that has come, if one has.
func (j *job) stop() error {
	select {
	case s := <-j.world.signals:
		return stopOf(s)
	default:
		return nil
	}
}

func stopOf(s os.Signal) error {
	number, ok := s.(syscall.Signal)
	if !ok {
		number = syscall.SIGTERM
	}
	return stopped{signal: number}
}

// wait writes everything and waits, or until a signal asks to stop.
func (j *job) wait(d time.Duration) error {
	if err := j.out.flush(); err != nil {
		return err
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case s := <-j.world.signals:
		return stopOf(s)
	case <-timer.C:
		return nil
	}
}

// pace keeps to the configured rate.
func (j *job) pace() error {
	ahead := time.Duration(float64(j.rows)/j.config.Rate*float64(time.Second)) - j.world.now().Sub(j.paceStart)
	if ahead < time.Millisecond {
		return nil
	}
	return j.wait(ahead)
}

// tick takes the time that the next records carry.
func (j *job) tick() {
	j.emittedAtMillis = j.world.now().UnixMilli()
	j.emittedAt = append(strconv.AppendInt(append(j.emittedAt[:0], `,"emitted_at":`...), j.emittedAtMillis, 10), "}}\n"...)
}
