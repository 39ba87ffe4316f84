package local

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
)

// TestManyStreamsAreRecordedOnceEach: the bytes that are written for a stream do not grow with the number of streams.
func TestManyStreamsAreRecordedOnceEach(t *testing.T) {
	t.Parallel()
	perStream := map[int]int64{}
	for _, count := range []int{50, 400} {
		var configs []airbyte.ConfiguredStream
		for i := range count {
			configs = append(configs, replacedAs(fmt.Sprint(i)))
		}
		folder, _ := open(t, t.TempDir(), nil, configs...)
		var written int64
		for i := range count {
			wholeBefore, linesBefore := recordFiles(t, folder.dir)
			load(t, folder, fmt.Sprint(i), sidecar.ReplaceFirst, row1)
			whole, lines := recordFiles(t, folder.dir)
			if !bytes.Equal(whole, wholeBefore) {
				written += int64(len(whole) + len(lines))
			} else {
				written += int64(len(lines) - len(linesBefore))
			}
		}
		perStream[count] = written / int64(count)
	}
	if perStream[400] > 2*perStream[50] || perStream[400] > 4096 {
		t.Errorf("bytes written for each stream, by the number of streams: %v", perStream)
	}
}

// TestConcurrentReplacements: replacements that wait for each other are recorded together, and one that cannot be done fails alone.
func TestConcurrentReplacements(t *testing.T) {
	t.Parallel()
	const count = 32
	var configs []airbyte.ConfiguredStream
	for i := range count {
		configs = append(configs, replacedAs(fmt.Sprint(i)))
	}
	folder, _ := open(t, t.TempDir(), nil, configs...)
	onlyChanges(folder)
	blocked := folder.rowsPath(configs[7].Stream.Descriptor())
	must(t, os.MkdirAll(filepath.Join(blocked, "in the way"), 0o755))
	folder.records.Lock() // all of them wait
	errs := make([]error, count)
	var loads sync.WaitGroup
	for i := range count {
		loads.Go(func() {
			errs[i] = folder.Load(t.Context(), sidecar.Load{Table: table(fmt.Sprint(i)), Mode: sidecar.ReplaceFirst, Rows: textRows{text: row1}})
		})
	}
	for waiting := 0; waiting < count; {
		folder.mu.Lock()
		waiting = len(folder.swaps)
		folder.mu.Unlock()
	}
	folder.records.Unlock()
	loads.Wait()
	for i, err := range errs {
		if i == 7 {
			mustFail(t, err, blocked)
			continue
		}
		must(t, err)
		rowsAre(t, folder, fmt.Sprint(i), row1)
	}
	if _, lines := recordFiles(t, folder.dir); bytes.Count(lines, []byte{'\n'}) != 2 {
		t.Errorf("they took more than two changes:\n%s", lines)
	}
	noTemps(t, folder)
	must(t, os.RemoveAll(blocked))
	load(t, folder, "7", sidecar.ReplaceFirst, row2)
	rowsAre(t, folder, "7", row2)
}
