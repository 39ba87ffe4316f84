package pipe_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sync-sidecar/sidecar/pipe"
)

func TestUsage(t *testing.T) {
	t.Parallel()
	exit := filepath.Join(t.TempDir(), "exit")
	if got := pipe.ReadUsage(exit); got != (pipe.Usage{}) {
		t.Errorf("of a connector that was not seen: %+v", got)
	}
	want := pipe.Usage{MaxMemory: 123 << 20, CPU: 1500 * time.Millisecond}
	if err := pipe.WriteUsage(exit, want); err != nil {
		t.Fatal(err)
	}
	if got := pipe.ReadUsage(exit); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	for _, text := range []string{"", "x", "1", "-1 5\n", "5 -1\n", strings.Repeat("1", 300)} {
		if err := os.WriteFile(exit+".usage", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := pipe.ReadUsage(exit); got != (pipe.Usage{}) {
			t.Errorf("%.20q is read as %+v", text, got)
		}
	}
}
