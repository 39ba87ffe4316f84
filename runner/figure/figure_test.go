package figure

import "testing"

func TestFigures(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", -1234567: "-1,234,567"} {
		if got := Thousands(n); got != want {
			t.Errorf("%d is %q, want %q", n, got, want)
		}
	}
	for n, want := range map[int]string{0: "0 states", 1: "1 state", 2: "2 states", 1234: "1,234 states"} {
		if got := Count(n, "state"); got != want {
			t.Errorf("%d states are %q, want %q", n, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0 B", 999: "999 B", 1500: "1.5 KB", 250_000: "250 KB", 5_000_000_000: "5.0 GB"} {
		if got := Size(n); got != want {
			t.Errorf("%d bytes are %q, want %q", n, got, want)
		}
	}
	for seconds, want := range map[float64]string{0: "0s", 0.123: "120ms", 4.56: "4.6s", 83.2: "1m23s"} {
		if got := Clock(seconds); got != want {
			t.Errorf("%v s are %q, want %q", seconds, got, want)
		}
	}
}
