package docker

import (
	"strings"
	"testing"

	"github.com/distribution/reference"
)

func TestTagOf(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]string{
		"dev":    "dev",
		"v1.2.3": "v1.2.3",
		"v0.0.0-20261122205624-9a543529b822+dirty": "v0.0.0-20261122205624-9a543529b822-dirty",
		"-x":                     "x",
		strings.Repeat("a", 200): strings.Repeat("a", 128),
	} {
		got := tagOf(version)
		if got != want {
			t.Errorf("tag of version %s is %s, want %s", version, got, want)
		}
		if _, err := reference.ParseNormalizedNamed("sync-sidecar:" + got); err != nil {
			t.Errorf("version %s: %v", version, err)
		}
	}
}
