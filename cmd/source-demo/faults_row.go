package main

import (
	"bytes"
	"regexp"
)

// Faults in what a record says: it is intact, and does not keep what the catalog promises. Each of them breaks one promise. Where it would break
// another one on the way, the catalog allows for it (see declareFaults).

type wrongTypeFault struct{ Trigger }

func (f *wrongTypeFault) strike(_ *job, run *streamRun) error {
	return run.replaceNext(`"(balance|weight_kg|total)":[^,]*`, `"$1":"a text"`)
}

type undeclaredFault struct{ Trigger }

func (f *undeclaredFault) strike(_ *job, run *streamRun) error {
	return run.insertNext(text(`"odd_field":"nobody knows",`))
}

type nullKeyFault struct{ Trigger }

func (f *nullKeyFault) strike(_ *job, run *streamRun) error {
	return run.replaceNext(`"data":\{"id":[0-9]+`, `"data":{"id":null`)
}

type nullCursorFault struct{ Trigger }

func (f *nullCursorFault) strike(_ *job, run *streamRun) error {
	return run.replaceNext(`"updated_at":"[^"]*"`, `"updated_at":null`)
}

type secondsFault struct{ Trigger }

func (f *secondsFault) strike(_ *job, run *streamRun) error {
	return run.replaceNext(`"emitted_at":([0-9]+)[0-9]{3}`, `"emitted_at":$1`)
}

type repeatedFault struct{ Trigger }

func (f *repeatedFault) strike(j *job, run *streamRun) error {
	if run == nil {
		return nil
	}
	return run.alterNext(func(line []byte) []byte {
		run.sinceState++
		j.sinceState++
		return append(line, bytes.Clone(line)...)
	}, nil)
}

// replaceNext replaces what the pattern matches first in the next record's line.
func (r *streamRun) replaceNext(pattern, replacement string) error {
	expression, err := regexp.Compile(pattern)
	if err != nil {
		return err
	}
	return r.alterNext(func(line []byte) []byte {
		at := expression.FindSubmatchIndex(line)
		if at == nil {
			return line
		}
		changed := append(bytes.Clone(line[:at[0]]), expression.Expand(nil, []byte(replacement), line, at)...)
		return append(changed, line[at[1]:]...)
	}, nil)
}
