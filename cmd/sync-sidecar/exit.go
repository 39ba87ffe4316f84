package main

import (
	"errors"

	"sync-sidecar/sidecar"
)

// Exit codes of every mode; see package sidecar.
const (
	exitOK          = sidecar.ExitOK
	exitFailed      = sidecar.ExitFailed
	exitUsage       = sidecar.ExitUsage
	exitEnvironment = sidecar.ExitEnvironment
	exitPartial     = sidecar.ExitPartial
	exitCheckFailed = sidecar.ExitCheckFailed
	exitTimeout     = sidecar.ExitTimeout
	exitSignal      = sidecar.ExitSignal
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
