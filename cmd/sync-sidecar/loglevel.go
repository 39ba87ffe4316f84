package main

import (
	"github.com/rs/zerolog"

	"sync-sidecar/sidecar/airbyte"
)

func localLevel(level airbyte.Level) zerolog.Level {
	switch level {
	case airbyte.LevelTrace:
		return zerolog.TraceLevel
	case airbyte.LevelDebug:
		return zerolog.DebugLevel
	case airbyte.LevelWarn:
		return zerolog.WarnLevel
	case airbyte.LevelError, airbyte.LevelFatal:
		return zerolog.ErrorLevel
	default:
		return zerolog.InfoLevel
	}
}
