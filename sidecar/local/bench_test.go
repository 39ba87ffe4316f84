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

// BenchmarkManyStreams is a read of many streams, one after the other, in each kind; ns/stream must not grow with their number.
func BenchmarkManyStreams(b *testing.B) {
	for _, count := range []int{100, 1000, 10_000} {
		for name, config := range map[string]airbyte.ConfiguredStream{
			"overwrite": stream("", airbyte.FullRefresh, airbyte.Overwrite), "append": stream("", airbyte.Incremental, airbyte.Append),
			"keys": stream("", airbyte.Incremental, airbyte.AppendDedup, []string{"id"}),
		} {
			b.Run(fmt.Sprintf("%s/%d", name, count), func(b *testing.B) {
				for range b.N {
					readManyStreams(b, b.TempDir(), count, config)
				}
				b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*count), "µs/stream")
			})
		}
	}
}

// readManyStreams reads twice; the second read goes on from the first one's states.
func readManyStreams(b *testing.B, dir string, count int, config airbyte.ConfiguredStream) {
	b.Helper()
	var catalog airbyte.ConfiguredCatalog
	var names []airbyte.StreamDescriptor
	for i := range count {
		config.Stream.Name = fmt.Sprint(i)
		catalog.Streams, names = append(catalog.Streams, config), append(names, config.Stream.Descriptor())
	}
	for range 2 {
		folder, err := Open(b.Context(), Options{Dir: dir})
		must(b, err)
		states, err := folder.LoadStates(b.Context())
		must(b, err)
		if overwritten(config) {
			states = nil
		}
		_, err = folder.Resume(b.Context(), catalog, states)
		must(b, err)
		load := sidecar.Load{Rows: textRows{text: row1 + row1}}
		if len(states) == 0 {
			load.Mode = sidecar.ReplaceFirst
		}
		var waiting []sidecar.SavedState
		for i, name := range names {
			load.Table = table(name.Name)
			must(b, folder.Load(b.Context(), load))
			if waiting = append(waiting, state(name.Name, fmt.Sprint(i), int64(2*len(row1)))); len(waiting) == 20 || i == count-1 {
				must(b, folder.SaveStates(b.Context(), waiting))
				waiting = nil
			}
		}
		must(b, folder.Finish(b.Context(), names))
		must(b, folder.Close(b.Context()))
	}
}

// BenchmarkGlobalStateOfManyStreams is a GLOBAL state of many streams per call, with everything brought to the disk.
func BenchmarkGlobalStateOfManyStreams(b *testing.B) {
	for _, count := range []int{100, 1000, 10_000} {
		b.Run(fmt.Sprint(count), func(b *testing.B) {
			var configs []airbyte.ConfiguredStream
			covers := map[airbyte.StreamDescriptor]sidecar.Position{}
			for i := range count {
				configs = append(configs, stream(fmt.Sprint(i), airbyte.Incremental, airbyte.Append))
				covers[configs[i].Stream.Descriptor()] = sidecar.Position{}
			}
			folder := benchFolder(b, configs...)
			for n := range b.N {
				global := fmt.Appendf(nil, `{"shared_state":{"lsn":%d},"stream_states":[]}`, n)
				must(b, folder.SaveStates(b.Context(), []sidecar.SavedState{{Key: sidecar.GlobalStateKey, State: global, Covers: covers}}))
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*count), "µs/stream")
		})
	}
}
