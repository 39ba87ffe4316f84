package local

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
)

var (
	appended = stream("users", airbyte.Incremental, airbyte.Append)
	replaced = stream("orders", airbyte.FullRefresh, airbyte.Overwrite)
)

func TestLoad(t *testing.T) {
	t.Parallel()
	folder, _ := open(t, t.TempDir(), nil, appended, replaced)
	load(t, folder, "users", sidecar.Append, "{\"id\":1}\n")
	load(t, folder, "users", sidecar.Append, "{\"id\":2}\n{\"id\":3}\n")
	load(t, folder, "users", sidecar.Append, "")
	rowsAre(t, folder, "users", "{\"id\":1}\n{\"id\":2}\n{\"id\":3}\n")

	load(t, folder, "orders", sidecar.ReplaceFirst, "{\"id\":1}\n")
	load(t, folder, "orders", sidecar.ReplaceFirst, "{\"id\":2}\n")
	load(t, folder, "orders", sidecar.Append, "{\"id\":3}\n")
	rowsAre(t, folder, "orders", "{\"id\":2}\n{\"id\":3}\n")
	load(t, folder, "orders", sidecar.ReplaceFirst, "")
	rowsAre(t, folder, "orders", "")
	noTemps(t, folder)
}

func TestFailedLoadLeavesTheFileAsItWas(t *testing.T) {
	t.Parallel()
	torn := textRows{text: "{\"id\":2}\n{\"id\":", err: sidecar.ErrLoadAborted}
	short := textRows{text: "{\"id\":2}\n", reader: func() io.Reader { return strings.NewReader("{}\n") }}
	tests := []struct {
		name string
		mode sidecar.Mode
		rows textRows
		want string // of the error
	}{
		{"aborted append", sidecar.Append, torn, "load aborted"},
		{"aborted replace", sidecar.ReplaceFirst, torn, "load aborted"},
		{"append without a line feed", sidecar.Append, textRows{text: "{\"id\":2}"}, "no line feed"},
		{"replace without a line feed", sidecar.ReplaceFirst, textRows{text: "{\"id\":2}"}, "no line feed"},
		{"fewer bytes than there are", sidecar.Append, short, "3 bytes were read of 9"},
	}
	for _, before := range []string{"{\"id\":1}\n", "-"} {
		for _, test := range tests {
			t.Run(test.name, func(t *testing.T) {
				t.Parallel()
				folder, _ := open(t, t.TempDir(), nil, appended)
				if before != "-" {
					load(t, folder, "users", sidecar.Append, before)
				}
				err := folder.Load(t.Context(), sidecar.Load{Table: table("users"), Mode: test.mode, Rows: test.rows})
				mustFail(t, err, "users", test.want)
				if test.rows.err != nil && !errors.Is(err, test.rows.err) {
					t.Errorf("error %v hides what the rows said", err)
				}
				rowsAre(t, folder, "users", before)
				noTemps(t, folder)
				load(t, folder, "users", sidecar.Append, "{\"id\":9}\n")
				rowsAre(t, folder, "users", strings.TrimPrefix(before, "-")+"{\"id\":9}\n")
			})
		}
	}
}

func TestLoadKindsOfReaders(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("{\"id\":1,\"text\":\"some row\"}\n", 100_000)
	path := filepath.Join(t.TempDir(), "spool")
	must(t, os.WriteFile(path, []byte(text), 0o600))
	for name, reader := range map[string]func() io.Reader{
		"plain":     func() io.Reader { return struct{ io.Reader }{strings.NewReader(text)} },
		"writer to": func() io.Reader { return strings.NewReader(text) },
		"file": func() io.Reader {
			file, err := os.Open(path)
			must(t, err)
			return file
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder, _ := open(t, t.TempDir(), nil, appended)
			rows := textRows{text: text, reader: reader}
			must(t, folder.Load(t.Context(), sidecar.Load{Table: table("users"), Rows: rows}))
			must(t, folder.Load(t.Context(), sidecar.Load{Table: table("users"), Rows: rows}))
			rowsAre(t, folder, "users", text+text)
		})
	}
}

func TestLoadObeysTheContext(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "spool")
	must(t, os.WriteFile(path, []byte("{}\n"), 0o600))
	folder, _ := open(t, t.TempDir(), nil, appended)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	rows := textRows{text: "{}\n", reader: func() io.Reader {
		must(t, os.Truncate(path, 2*copyChunk)) // more than one look at the context
		file, err := os.Open(path)
		must(t, err)
		return file
	}}
	err := folder.Load(ctx, sidecar.Load{Table: table("users"), Rows: rows})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("error is %v, want the context's", err)
	}
	rowsAre(t, folder, "users", "-")
}

func TestLoadRefusesWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	folder, _ := open(t, t.TempDir(), nil, appended)
	err := folder.Load(t.Context(), sidecar.Load{Table: table("other"), Rows: textRows{text: "{}\n"}})
	refusal := (*sidecar.LoadError)(nil)
	if !errors.As(err, &refusal) || !refusal.Permanent {
		t.Errorf("error is %v, want a permanent refusal", err)
	}
	mustFail(t, err, "other", "catalog")
}

// TestLoadNoticesOtherWriters: a file that shrank during the read no longer holds what was acknowledged.
func TestLoadNoticesOtherWriters(t *testing.T) {
	t.Parallel()
	folder, _ := open(t, t.TempDir(), nil, appended)
	load(t, folder, "users", sidecar.Append, "{\"id\":1}\n")
	must(t, os.Truncate(folder.rowsPath(table("users").Stream), 3))
	err := folder.Load(t.Context(), sidecar.Load{Table: table("users"), Rows: textRows{text: "{}\n"}})
	mustFail(t, err, "users.ndjson", "3 bytes", "9 were written")
	refusal := (*sidecar.LoadError)(nil)
	if !errors.As(err, &refusal) || !refusal.Environment {
		t.Errorf("error is %v, want one of the environment", err)
	}
}

func TestStreamsOfOneNameHaveFilesOfTheirOwn(t *testing.T) {
	t.Parallel()
	public, private := appended, appended
	public.Stream.Namespace, private.Stream.Namespace = "public", "users.ndjson"
	folder, _ := open(t, t.TempDir(), nil, appended, public, private)
	for _, config := range []airbyte.ConfiguredStream{appended, public, private} {
		descriptor := config.Stream.Descriptor()
		text := "{\"of\":\"" + descriptor.String() + "\"}\n"
		must(t, folder.Load(t.Context(), sidecar.Load{Table: sidecar.Table{Stream: descriptor}, Rows: textRows{text: text}}))
		content, err := os.ReadFile(folder.rowsPath(descriptor))
		must(t, err)
		if string(content) != text {
			t.Errorf("rows of %s are %s", descriptor, content)
		}
	}
}

// noTemps fails the test when a temporary file is left.
func noTemps(t *testing.T, folder *Folder) {
	t.Helper()
	must(t, filepath.WalkDir(folder.dir, func(path string, _ os.DirEntry, err error) error {
		if strings.HasSuffix(path, tempSuffix) {
			t.Errorf("%s is left", path)
		}
		return err
	}))
}
