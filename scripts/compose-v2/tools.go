//go:build tools

// Package composev2 pins Docker Compose 2, so that scripts/compose-v2.sh can build it from Go modules.
package composev2

import _ "github.com/docker/compose/v2/cmd"
