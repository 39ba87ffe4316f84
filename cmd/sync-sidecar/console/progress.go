package console

import (
	"fmt"
	"strings"
	"time"

	"sync-sidecar/runner"
	"sync-sidecar/runner/figure"
	"sync-sidecar/sidecar"
)

// maxLive is how many streams the live block shows: it has to fit on a screen. maxPlain is how many a plain line names.
const (
	maxLive  = 12
	maxPlain = 8
)

// scene is what the live block shows.
type scene struct {
	report *sidecar.Report
	usage  *runner.Usage
	last   runner.Line // that the connector or the sidecar logged
}

// block is a line per stream that has begun or ended, and below them the sum and what the connector does.
func (s scene) block() (streams, foot []string) {
	foot = append(foot, progressLine(*s.report))
	if s.usage != nil {
		foot = append(foot, usageLine(*s.usage))
	}
	if s.last.Message != "" {
		foot = append(foot, lastLine(s.last))
	}
	return streamLines(*s.report), foot
}

// lastLine is the first line of what was logged last.
func lastLine(line runner.Line) string {
	message, _, _ := strings.Cut(line.Message, "\n")
	return fmt.Sprintf("%s: %s", visible(line.Logger), visible(message))
}

// usageLine is what the connector uses.
func usageLine(usage runner.Usage) string {
	line := "the connector uses " + figure.Size(usage.Memory)
	if usage.MemoryLimit > 0 {
		line += " of " + figure.Size(usage.MemoryLimit)
	}
	return line + fmt.Sprintf(" memory, %.1f CPUs", usage.CPUs)
}

// totals are the sums over the streams of a report; known says whether every stream has an estimate.
func totals(report sidecar.Report) (read, estimated, bytes int64, known bool) {
	known = len(report.Streams) > 0
	for _, stream := range report.Streams {
		read += stream.Read
		bytes += stream.Bytes
		if ended(stream) { // it has no more rows than those, whatever was expected
			estimated += stream.Read
			continue
		}
		estimated += max(stream.EstimatedRows, stream.Read)
		known = known && stream.EstimatedRows > 0
	}
	return read, estimated, bytes, known
}

// ended says whether nothing more will be read of a stream.
func ended(stream sidecar.StreamReport) bool {
	return stream.Status != sidecar.StatusPending && stream.Status != sidecar.StatusRunning
}

// progressLine is the whole sync in one line.
func progressLine(report sidecar.Report) string {
	read, estimated, bytes, known := totals(report)
	line := fmt.Sprintf("%s read %s rows, delivered %s, %s rows/s", figure.Clock(report.Seconds), figure.Thousands(read),
		figure.Size(bytes), rate(read, report.Seconds))
	if known && read > 0 {
		line += fmt.Sprintf(", %d%%, about %s left", percent(read, estimated), figure.Clock(left(report, read, estimated)))
	}
	return line
}

// left is how many seconds the rest takes at the pace so far. At least one row was read.
func left(report sidecar.Report, read, estimated int64) float64 {
	return report.Seconds / float64(read) * float64(estimated-read)
}

// streamsLine is what a plain line of progress says of each stream.
func streamsLine(report sidecar.Report) string {
	var parts []string
	hidden := 0
	for _, stream := range report.Streams {
		switch {
		case stream.Read == 0 && stream.Status == sidecar.StatusPending:
		case len(parts) == maxPlain:
			hidden++
		default:
			part := fmt.Sprintf("%s %s", shorten(visible(stream.Stream), longestName), figure.Thousands(stream.Read))
			if stream.EstimatedRows > 0 && !ended(stream) {
				part += fmt.Sprintf(" of about %s", figure.Thousands(stream.EstimatedRows))
			}
			if text := waiting(stream); text != "" {
				part += " (" + text + ")"
			}
			parts = append(parts, part)
		}
	}
	if hidden > 0 {
		parts = append(parts, fmt.Sprintf("%d more streams", hidden))
	}
	if len(parts) == 0 {
		return ""
	}
	return ": " + strings.Join(parts, ", ")
}

// waiting says that the connector is rate-limited, and until when; empty when it is not.
func waiting(stream sidecar.StreamReport) string {
	switch {
	case !stream.RateLimited:
		return ""
	case stream.RateLimitedUntil == nil:
		return "rate-limited"
	}
	return "rate-limited until " + stream.RateLimitedUntil.Local().Format(time.TimeOnly)
}

// streamLines are the streams that have begun or ended.
func streamLines(report sidecar.Report) []string {
	var shown []sidecar.StreamReport
	hidden, width := 0, 0
	for _, stream := range report.Streams {
		if stream.Read == 0 && stream.Status == sidecar.StatusPending {
			continue
		}
		if len(shown) == maxLive {
			hidden++
			continue
		}
		shown, width = append(shown, stream), max(width, columns(shorten(visible(stream.Stream), longestName)))
	}
	var lines []string
	for _, stream := range shown {
		lines = append(lines, streamLine(stream, width))
	}
	if hidden > 0 {
		lines = append(lines, fmt.Sprintf("  … and %d more streams", hidden))
	}
	return lines
}

// longestName is how many characters of a stream's name are shown.
const longestName = 30

// streamLine is one of them, its name in so many columns, with a bar where there is an estimate.
func streamLine(stream sidecar.StreamReport, width int) string {
	status := strings.ToLower(string(stream.Status))
	if text := waiting(stream); text != "" {
		status = text
	}
	line := fmt.Sprintf("  %s %12s rows", padded(shorten(visible(stream.Stream), longestName), width), figure.Thousands(stream.Read))
	switch {
	case ended(stream) && stream.Status == sidecar.StatusSuccess:
		line += "  " + bar(1, 1)
	case stream.EstimatedRows > 0:
		line += "  " + bar(stream.Read, stream.EstimatedRows)
	default:
		line += "  " + noBar()
	}
	return line + "  " + status
}

// barWidth is how many columns a bar has.
const barWidth = 12

// bar shows how much of all is done.
func bar(done, all int64) string {
	part := percent(done, all)
	full := int(part * barWidth / 100)
	return strings.Repeat("█", full) + strings.Repeat("░", barWidth-full) + fmt.Sprintf(" %3d%%", part)
}

// noBar takes as many columns as a bar does.
func noBar() string { return strings.Repeat(" ", barWidth+len(" 100%")) }
