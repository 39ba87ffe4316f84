package main

import "math"

// Faults is what goes wrong on request; spec.json says what each one does. Those that are objects strike at a row.
type Faults struct {
	ExitCode      *exitFault         `json:"exit_code"`
	KillSelf      *killFault         `json:"kill_self"`
	CutLastLine   *cutFault          `json:"cut_last_line"`
	ErrorTrace    *errorFault        `json:"error_trace"`
	Silence       *silenceFault      `json:"silence"`
	RateLimited   *rateLimitFault    `json:"rate_limited"`
	CloseStdout   *closeFault        `json:"close_stdout"`
	Grandchild    *grandchildFault   `json:"grandchild"`
	StdoutText    *stdoutFault       `json:"stdout_text"`
	StderrText    *stderrFault       `json:"stderr_text"`
	StderrFlood   *floodFault        `json:"stderr_flood"`
	BrokenLine    *brokenFault       `json:"broken_line"`
	JoinedLines   *joinFault         `json:"joined_lines"`
	HugeRow       *hugeFault         `json:"huge_row"`
	NonFinite     *nonFiniteFault    `json:"non_finite"`
	InvalidUTF8   *invalidUTF8Fault  `json:"invalid_utf8"`
	NUL           *nulFault          `json:"nul"`
	LoneSurrogate *surrogateFault    `json:"lone_surrogate"`
	EscapedKeys   *escapedKeysFault  `json:"escaped_keys"`
	FileRecord    *fileFault         `json:"file_record"`
	UnknownStream *unknownFault      `json:"unknown_stream"`
	UnknownTypes  *unknownTypesFault `json:"unknown_types"`
	EmptyPayloads *emptyFault        `json:"empty_payloads"`
	LogLevels     *logLevelsFault    `json:"log_levels"`
	LogSecret     *logSecretFault    `json:"log_secret"`
	WrongStats    *wrongStatsFault   `json:"wrong_stats"`
	WrongType     *wrongTypeFault    `json:"wrong_type"`
	Undeclared    *undeclaredFault   `json:"undeclared_field"`
	NullKey       *nullKeyFault      `json:"null_key"`
	RepeatedRow   *repeatedFault     `json:"repeated_row"`
	NullCursor    *nullCursorFault   `json:"null_cursor"`
	Seconds       *secondsFault      `json:"emitted_seconds"`

	CrashAfterComplete int     `json:"crash_after_complete"`
	HangAfterEOF       float64 `json:"hang_after_eof"`
	SlowStop           float64 `json:"slow_stop"`
	IgnoreSIGTERM      bool    `json:"ignore_sigterm"`
	OddStates          bool    `json:"odd_states"`
	RepeatStates       bool    `json:"repeat_states"`
	LateStates         bool    `json:"late_states"`
	CheckFailed        string  `json:"check_failed"`
	Deviation          string  `json:"deviation"`
}

// fault is one thing that goes wrong at a row.
type fault interface {
	trigger() Trigger
	// strike does it. run is the stream that is being read, nil in other commands than read. An error ends the stream or the job (see job.go).
	strike(j *job, run *streamRun) error
}

// Trigger says where a fault strikes; see definitions.trigger in spec.json.
type Trigger struct {
	Command  string `json:"command"`
	Stream   string `json:"stream"`
	AfterRow int64  `json:"after_row"`
	Every    int64  `json:"every"`
}

func (t Trigger) trigger() Trigger { return t }

// list is the faults that are set, in a fixed order: that of the ways to end comes last, so that the others can strike at the same row.
func (f *Faults) list() []fault {
	var all []fault
	all = addFault(all, f.StdoutText)
	all = addFault(all, f.StderrText)
	all = addFault(all, f.StderrFlood)
	all = addFault(all, f.LogLevels)
	all = addFault(all, f.LogSecret)
	all = addFault(all, f.UnknownStream)
	all = addFault(all, f.UnknownTypes)
	all = addFault(all, f.EmptyPayloads)
	all = addFault(all, f.WrongStats)
	all = addFault(all, f.EscapedKeys)
	all = addFault(all, f.FileRecord)
	all = addFault(all, f.NonFinite)
	all = addFault(all, f.InvalidUTF8)
	all = addFault(all, f.NUL)
	all = addFault(all, f.LoneSurrogate)
	all = addFault(all, f.WrongType)
	all = addFault(all, f.Undeclared)
	all = addFault(all, f.NullKey)
	all = addFault(all, f.RepeatedRow)
	all = addFault(all, f.NullCursor)
	all = addFault(all, f.Seconds)
	all = addFault(all, f.HugeRow)
	all = addFault(all, f.JoinedLines)
	all = addFault(all, f.BrokenLine)
	all = addFault(all, f.Grandchild)
	all = addFault(all, f.RateLimited)
	all = addFault(all, f.Silence)
	all = addFault(all, f.CutLastLine)
	all = addFault(all, f.CloseStdout)
	all = addFault(all, f.KillSelf)
	all = addFault(all, f.ErrorTrace)
	return addFault(all, f.ExitCode)
}

// addFault adds a fault that is set.
func addFault[T any, P interface {
	*T
	fault
}](all []fault, p P) []fault {
	if p == nil {
		return all
	}
	return append(all, p)
}

// strikes knows which fault is due. The loop over the rows asks two comparisons of it.
type strikes struct {
	pending []*pendingStrike
	// next is the number of rows of the whole job at which something may be due; never when nothing waits for it.
	next int64
}

type pendingStrike struct {
	fault fault
	at    int64
}

const never = math.MaxInt64

// newStrikes takes the faults of one command.
func newStrikes(faults *Faults, command string) *strikes {
	s := &strikes{next: never}
	for _, f := range faults.list() {
		if t := f.trigger(); t.Command == command {
			s.pending = append(s.pending, &pendingStrike{fault: f, at: t.AfterRow})
		}
	}
	s.next = s.nextOf("")
	return s
}

// nextOf is the row at which the next fault of a stream is due; "" is that of the faults that count all rows.
func (s *strikes) nextOf(stream string) int64 {
	next := int64(never)
	for _, p := range s.pending {
		if p.fault.trigger().Stream == stream {
			next = min(next, p.at)
		}
	}
	return next
}

// due takes what is due when so many rows of the job, and so many of the stream, are written.
func (s *strikes) due(rows int64, stream string, streamRows int64) []fault {
	var due []fault
	for _, p := range s.pending {
		count := rows
		if named := p.fault.trigger().Stream; named != "" {
			if named != stream {
				continue
			}
			count = streamRows
		}
		if count < p.at {
			continue
		}
		due = append(due, p.fault)
		p.at = never
		if every := p.fault.trigger().Every; every > 0 {
			p.at = count + every
		}
	}
	s.next = s.nextOf("")
	return due
}
