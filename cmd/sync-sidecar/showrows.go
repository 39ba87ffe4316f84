package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/local"
	"sync-sidecar/sidecar/printable"
)

// shownRowBytes is how much of a row is shown.
const shownRowBytes = 200

// showRows writes the first rows of each stream that a read has put into the local folder, for a person who tries a connector out. They go to the
// terminal alone: logs are kept elsewhere, and rows do not belong there.
func showRows(out io.Writer, s settings, in inputs, mask func(string) string) error {
	if s.showRows == 0 || s.json || s.config.Command != sidecar.CommandRead || !s.rows.isFolder() {
		return nil
	}
	for _, stream := range in.read.Catalog.Streams {
		name := local.RowsFile(stream.Stream.Descriptor())
		rows, err := firstLines(filepath.Join(local.Dir(s.localDir, s.config.Identity), filepath.FromSlash(name)), s.showRows)
		if err != nil {
			return fmt.Errorf("show rows: %w", err)
		}
		if len(rows) == 0 {
			continue
		}
		text := "\n" + name + "\n"
		for _, row := range rows {
			text += "  " + printable.Line(mask(row)) + "\n"
		}
		if _, err := io.WriteString(out, text); err != nil {
			return err
		}
	}
	return nil
}

// firstLines are the first lines of a file, none of a file that is not there, each cut to shownRowBytes.
func firstLines(path string, count int) ([]string, error) {
	file, err := os.Open(path)
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	reader := bufio.NewReader(file)
	var lines []string
	for len(lines) < count {
		line, more, err := reader.ReadLine()
		if err != nil {
			break // the end, or a file that cannot be read further: there is nothing more to show
		}
		lines = append(lines, cutRow(string(line)))
		for more && err == nil {
			_, more, err = reader.ReadLine()
		}
	}
	return lines, nil
}

// cutRow leaves a row's beginning.
func cutRow(row string) string {
	if len(row) <= shownRowBytes {
		return row
	}
	return strings.ToValidUTF8(row[:shownRowBytes], "") + "…"
}
