package local

import (
	"bytes"
	"context"
	"io"
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
)

// TestMain also is the program that the kill tests start and kill: see kill_test.go.
func TestMain(m *testing.M) {
	if dir := os.Getenv("LOCAL_TEST_CHILD"); dir != "" {
		os.Exit(childMain(dir))
	}
	goleak.VerifyTestMain(m)
}

// textRows are rows that are there already.
type textRows struct {
	text   string
	err    error            // after the text, instead of io.EOF
	reader func() io.Reader // what Open reads; the text by default
}

func (r textRows) Open(context.Context) (io.ReadCloser, error) {
	if r.reader != nil {
		source := r.reader()
		if closer, ok := source.(io.ReadCloser); ok {
			return closer, nil
		}
		return io.NopCloser(source), nil
	}
	return io.NopCloser(io.MultiReader(strings.NewReader(r.text), endReader{r.err})), nil
}
func (r textRows) Count() int64   { return int64(strings.Count(r.text, "\n")) }
func (r textRows) Size() int64    { return int64(len(r.text)) }
func (r textRows) Complete() bool { return true }

// endReader ends at once, with an error if there is one.
type endReader struct{ err error }

func (r endReader) Read([]byte) (int, error) {
	if r.err == nil {
		return 0, io.EOF
	}
	return 0, r.err
}

// stream is an entry of a catalog.
func stream(name string, mode airbyte.SyncMode, destination airbyte.DestinationSyncMode, key ...[]string) airbyte.ConfiguredStream {
	return airbyte.ConfiguredStream{Stream: airbyte.Stream{Name: name}, SyncMode: mode, DestinationSyncMode: destination, PrimaryKey: key}
}

// open opens and resumes a folder, and fails the test where that fails. It closes the folder at the end of the test.
func open(t *testing.T, dir string, given []sidecar.SavedState, streams ...airbyte.ConfiguredStream) (*Folder, []string) {
	t.Helper()
	folder, err := Open(t.Context(), Options{Dir: dir, Identity: sidecar.Identity{SyncID: "sync", TaskID: "task"}})
	must(t, err)
	t.Cleanup(func() { must(t, folder.Close(context.Background())) })
	warnings, err := folder.Resume(t.Context(), airbyte.ConfiguredCatalog{Streams: streams}, given)
	must(t, err)
	return folder, warnings
}

// must fails the test on an error.
func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// mustFail fails the test unless err names every one of the parts.
func mustFail(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one that names %q", parts)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error %q does not name %q", err, part)
		}
	}
}

// load gives rows to the folder.
func load(t *testing.T, folder *Folder, name string, mode sidecar.Mode, text string) {
	t.Helper()
	must(t, folder.Load(t.Context(), sidecar.Load{Table: table(name), Mode: mode, Rows: textRows{text: text}}))
}

// table is the table of a stream; with a primary key, which counts only where the catalog has one too.
func table(name string) sidecar.Table {
	return sidecar.Table{Stream: airbyte.StreamDescriptor{Name: name}, Name: name, PrimaryKey: [][]string{{"id"}}}
}

// state is a saved STREAM state that covers the first bytes of a stream, the only incremental one of its run.
func state(name, content string, bytes int64) sidecar.SavedState {
	descriptor := airbyte.StreamDescriptor{Name: name}
	return sidecar.SavedState{
		Key: name, Stream: descriptor, State: []byte(content), Incremental: 1,
		Covers: map[airbyte.StreamDescriptor]sidecar.Position{descriptor: {Bytes: bytes}},
	}
}

// rowsAre fails the test unless the file of a stream has this content; "-" is no file.
func rowsAre(t *testing.T, folder *Folder, name, want string) {
	t.Helper()
	content, err := os.ReadFile(folder.rowsPath(airbyte.StreamDescriptor{Name: name}))
	if want == "-" {
		if !os.IsNotExist(err) {
			t.Errorf("stream %s has a file, want none (%v)", name, err)
		}
		return
	}
	must(t, err)
	if string(content) != want {
		t.Errorf("rows of %s are\n%s\nwant\n%s", name, brief(content), brief([]byte(want)))
	}
}

// brief is content short enough to be read.
func brief(content []byte) []byte {
	if len(content) > 600 {
		return append(bytes.Clone(content[:300]), append([]byte(" … "), content[len(content)-300:]...)...)
	}
	return content
}
