package local

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
)

// BenchmarkAppend is the speed of loads of 8 MiB without states: what the page cache takes.
func BenchmarkAppend(b *testing.B) {
	text := strings.Repeat(childText("users", 0, 1000), 200)
	text = text[:strings.LastIndexByte(text[:min(len(text), 8<<20)], '\n')+1]
	for name, reader := range map[string]func() io.Reader{
		"writer-to": func() io.Reader { return strings.NewReader(text) },
		"reader":    func() io.Reader { return struct{ io.Reader }{strings.NewReader(text)} },
	} {
		b.Run(name, func(b *testing.B) {
			folder := benchFolder(b, appended)
			must(b, folder.Load(b.Context(), sidecar.Load{Table: table("users"), Rows: textRows{text: row1}}))
			b.SetBytes(int64(len(text)))
			for range b.N {
				must(b, folder.Load(b.Context(), sidecar.Load{Table: table("users"), Rows: textRows{text: text, reader: reader}}))
				// The next one overwrites this one, so that the disk is no matter; ext4 would flush a file that was cut to nothing.
				folder.files[table("users").Stream].end = int64(len(row1))
			}
		})
	}
}

// BenchmarkRawWrite is what BenchmarkAppend is to be measured against: the same text by single writes to an open file.
func BenchmarkRawWrite(b *testing.B) {
	text := []byte(strings.Repeat(row1, 8<<20/len(row1)))
	file, err := os.Create(filepath.Join(b.TempDir(), "raw"))
	must(b, err)
	b.SetBytes(int64(len(text)))
	for range b.N {
		must(b, file.Truncate(0))
		_, err := file.WriteAt(text, 0)
		must(b, err)
	}
	must(b, file.Close())
}

// BenchmarkSaveStates is one state per load of 64 KiB, with everything brought to the disk.
func BenchmarkSaveStates(b *testing.B) {
	text := strings.Repeat(row1, 64<<10/len(row1))
	folder := benchFolder(b, appended)
	b.SetBytes(int64(len(text)))
	for n := range b.N {
		must(b, folder.Load(b.Context(), sidecar.Load{Table: table("users"), Rows: textRows{text: text}}))
		must(b, folder.SaveStates(b.Context(), []sidecar.SavedState{state("users", fmt.Sprint(n), int64((n+1)*len(text)))}))
	}
}

// BenchmarkSaveStatesOfManyStreams is a state of each of 200 streams per call.
func BenchmarkSaveStatesOfManyStreams(b *testing.B) {
	text := strings.Repeat(row1, 4<<10/len(row1))
	var configs []airbyte.ConfiguredStream
	for i := range 200 {
		configs = append(configs, stream(fmt.Sprint(i), airbyte.Incremental, airbyte.Append))
	}
	folder := benchFolder(b, configs...)
	b.SetBytes(int64(len(text) * len(configs)))
	for n := range b.N {
		var states []sidecar.SavedState
		for _, config := range configs {
			must(b, folder.Load(b.Context(), sidecar.Load{Table: table(config.Stream.Name), Rows: textRows{text: text}}))
			states = append(states, state(config.Stream.Name, fmt.Sprint(n), int64((n+1)*len(text))))
		}
		must(b, folder.SaveStates(b.Context(), states))
	}
}

// BenchmarkMerge brings a million rows of 100 bytes, a tenth of them twice, to one row per key.
func BenchmarkMerge(b *testing.B) {
	var text strings.Builder
	for i := range 1_000_000 {
		fmt.Fprintf(&text, "{\"id\":%d,\"name\":\"somebody with a name\",\"pad\":\"%040d\"}\n", i%900_000, i)
	}
	b.SetBytes(int64(text.Len()))
	for range b.N {
		b.StopTimer()
		folder := benchFolder(b, stream("users", airbyte.Incremental, airbyte.AppendDedup, []string{"id"}))
		must(b, folder.Load(b.Context(), sidecar.Load{Table: table("users"), Rows: textRows{text: text.String()}}))
		b.StartTimer()
		must(b, folder.Finish(b.Context(), []airbyte.StreamDescriptor{{Name: "users"}}))
	}
}

// benchFolder is a folder that a benchmark loads into.
func benchFolder(b *testing.B, configs ...airbyte.ConfiguredStream) *Folder {
	b.Helper()
	folder, err := Open(b.Context(), Options{Dir: b.TempDir()})
	must(b, err)
	_, err = folder.Resume(b.Context(), airbyte.ConfiguredCatalog{Streams: configs}, nil)
	must(b, err)
	b.Cleanup(func() { must(b, folder.Close(b.Context())) })
	return folder
}
