//go:build !linux

package spool

import (
	"errors"
	"os"
)

// punchHole is for Linux.
func punchHole(*os.File, int64, int64) error { return errors.ErrUnsupported }
