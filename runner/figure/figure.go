// Package figure writes numbers as people read them: counts, sizes, durations.
package figure

import (
	"fmt"
	"strconv"
	"time"
)

// Thousands is a number with a comma between thousands.
func Thousands(n int64) string {
	digits := strconv.FormatInt(n, 10)
	first := 0
	if n < 0 {
		first = 1
	}
	for at := len(digits) - 3; at > first; at -= 3 {
		digits = digits[:at] + "," + digits[at:]
	}
	return digits
}

// Count is a number of things, of which thing is the name of one: "1 state", "2,000 states".
func Count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return Thousands(int64(n)) + " " + thing + "s"
}

// Size is a number of bytes with three digits or so.
func Size(bytes int64) string {
	value, unit := float64(bytes), 0
	units := []string{"B", "KB", "MB", "GB", "TB"}
	for value >= 999.5 && unit < len(units)-1 {
		value /= 1000
		unit++
	}
	if unit == 0 || value >= 100 {
		return fmt.Sprintf("%.0f %s", value, units[unit])
	}
	return fmt.Sprintf("%.1f %s", value, units[unit])
}

// Clock is a duration given in seconds, as precise as a person wants it.
func Clock(seconds float64) string {
	duration := time.Duration(seconds * float64(time.Second))
	if duration < time.Second {
		return duration.Round(10 * time.Millisecond).String()
	}
	if duration < 10*time.Second {
		return duration.Round(100 * time.Millisecond).String()
	}
	return duration.Round(time.Second).String()
}
