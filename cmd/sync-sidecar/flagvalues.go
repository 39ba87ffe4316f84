package main

import (
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"sync-sidecar/sidecar/airbyte"
)

func choice(c *cli.Context, p *problems, name string, values ...string) string {
	value := strings.ToLower(orPreset(c, name))
	for _, known := range values {
		if value == known {
			return value
		}
	}
	p.add(variableOf(name), "%q is not one of %s", c.String(name), strings.Join(values, ", "))
	return values[0]
}

func atLeast(c *cli.Context, p *problems, name string, least int64) int64 {
	if value := c.Int64(name); value >= least {
		return value
	}
	p.add(variableOf(name), "%d is less than %d", c.Int64(name), least)
	return least
}

func positive(c *cli.Context, p *problems, name string) time.Duration {
	value := c.Duration(name)
	if value <= 0 {
		p.add(variableOf(name), "%v is not above 0", value)
	}
	return value
}

func level(c *cli.Context, p *problems, name string) airbyte.Level {
	value := airbyte.Level(strings.ToUpper(orPreset(c, name)))
	switch value {
	case airbyte.LevelTrace, airbyte.LevelDebug, airbyte.LevelInfo, airbyte.LevelWarn, airbyte.LevelError, airbyte.LevelFatal:
		return value
	case "WARNING":
		return airbyte.LevelWarn
	}
	p.add(variableOf(name), "%q is not one of TRACE, DEBUG, INFO, WARN, ERROR", c.String(name))
	return airbyte.LevelInfo
}
