package logs

import (
	"github.com/rs/zerolog"

	"sync-sidecar/sidecar/airbyte"
)

// severity orders levels.
func severity(level airbyte.Level) int {
	switch level {
	case airbyte.LevelFatal:
		return 5
	case airbyte.LevelError:
		return 4
	case airbyte.LevelWarn:
		return 3
	case airbyte.LevelDebug:
		return 1
	case airbyte.LevelTrace:
		return 0
	default:
		return 2
	}
}

func zerologLevel(level airbyte.Level) zerolog.Level {
	switch severity(level) {
	case 5, 4: // zerolog's own fatal would end the process
		return zerolog.ErrorLevel
	case 3:
		return zerolog.WarnLevel
	case 1:
		return zerolog.DebugLevel
	case 0:
		return zerolog.TraceLevel
	default:
		return zerolog.InfoLevel
	}
}
