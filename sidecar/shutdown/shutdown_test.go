package shutdown

import (
	"testing"
	"time"
)

// TestPhasesFollowEachOther: each phase has some time of its own, and together they take the grace period.
func TestPhasesFollowEachOther(t *testing.T) {
	t.Parallel()
	signalled := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, grace := range []time.Duration{DefaultGrace, 3 * time.Second, 50 * time.Millisecond} {
		var sum time.Duration
		for phase := Reading; phase <= Close; phase++ {
			if phase.Lasts(grace) <= 0 {
				t.Errorf("phase %d of %v has no time", phase, grace)
			}
			sum += phase.Lasts(grace)
			if got := phase.Ends(signalled, grace); !got.Equal(signalled.Add(sum)) || phase.After(grace) != sum {
				t.Errorf("phase %d of %v ends after %v", phase, grace, got.Sub(signalled))
			}
		}
		if sum != grace {
			t.Errorf("the phases of %v take %v", grace, sum)
		}
	}
}
