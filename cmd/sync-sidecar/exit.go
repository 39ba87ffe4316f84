package main

import "errors"

// Exit codes of every mode: documented, stable.
const (
	exitOK          = 0
	exitFailed      = 1 // the source or the sync failed
	exitUsage       = 2 // bad usage or configuration
	exitEnvironment = 3 // Docker, Postgres, Bulker or the machine failed
	exitPartial     = 4 // some streams arrived whole, others did not
	exitCheckFailed = 5 // check answered FAILED
	exitTimeout     = 6 // a deadline passed
	exitSignal      = 128
)

// exitError is an error that knows the exit code of the process. A nil err exits silently: whoever returned it has told the user already.
type exitError struct {
	code int
	err  error
}

// Error is the text of the wrapped error.
func (e *exitError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

// Unwrap is the wrapped error.
func (e *exitError) Unwrap() error { return e.err }

// withCode gives an error its exit code.
func withCode(code int, err error) error {
	if err == nil && code == exitOK {
		return nil
	}
	return &exitError{code: code, err: err}
}

// exitCode is the exit code of an error that a mode returned: its own, or bad usage, since an error without a code comes from parsing flags.
func exitCode(err error) int {
	if err == nil {
		return exitOK
	}
	if coded := (*exitError)(nil); errors.As(err, &coded) {
		return coded.code
	}
	return exitUsage
}
