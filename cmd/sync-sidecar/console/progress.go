package console

import (
	"fmt"
	"strings"

	"sync-sidecar/sidecar"
)

// maxLive is how many streams the live block shows: it has to fit on a screen.
const maxLive = 12

// totals are the sums over the streams of a report; known says whether every stream has an estimate.
func totals(report sidecar.Report) (read, estimated, bytes int64, known bool) {
	known = len(report.Streams) > 0
	for _, stream := range report.Streams {
		read += stream.Read
		bytes += stream.Bytes
		estimated += max(stream.EstimatedRows, stream.Read)
		known = known && stream.EstimatedRows > 0
	}
	return read, estimated, bytes, known
}

// progressLine is the whole sync in one line.
func progressLine(report sidecar.Report) string {
	read, estimated, bytes, known := totals(report)
	line := fmt.Sprintf("%s read %s rows, delivered %s, %s rows/s", clock(report.Seconds), thousands(read), size(bytes), rate(read, report.Seconds))
	if known && read > 0 {
		left := report.Seconds / float64(read) * float64(estimated-read)
		line += fmt.Sprintf(", %d%%, about %s left", percent(read, estimated), clock(left))
	}
	return line
}

// progressBlock is a line per stream that has begun or ended, and the sum.
func progressBlock(report sidecar.Report) []string {
	var lines []string
	hidden := 0
	for _, stream := range report.Streams {
		if stream.Read == 0 && stream.Status == sidecar.StatusPending {
			continue
		}
		if len(lines) == maxLive {
			hidden++
			continue
		}
		line := fmt.Sprintf("  %-30s %12s rows  %10s", shorten(visible(stream.Stream), 30), thousands(stream.Read), strings.ToLower(string(stream.Status)))
		if stream.EstimatedRows > 0 {
			line += fmt.Sprintf("  %3d%%", percent(stream.Read, stream.EstimatedRows))
		}
		lines = append(lines, line)
	}
	if hidden > 0 {
		lines = append(lines, fmt.Sprintf("  … and %d more streams", hidden))
	}
	return append(lines, progressLine(report))
}
