package airbyte

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

// A transcript (testdata/transcripts/NAME.in) is the stdout of a source, byte for byte. NAME.golden is what the reader must return, as describe
// writes it. Most transcripts show one quirk each that was seen in real sources. Those named source-* show how a family of sources writes.

// transcriptOptions are the options for a transcript; most are read with the default ones.
func transcriptOptions(name string) Options {
	switch name {
	case "oversize":
		return Options{MaxLineBytes: 400}
	case "non-finite-rejected":
		return Options{RejectNonFinite: true}
	default:
		return Options{}
	}
}

// transcripts are the names of all transcripts.
func transcripts(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/transcripts/*.in")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	for i, file := range files {
		files[i] = strings.TrimSuffix(filepath.Base(file), ".in")
	}
	return files
}

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// readAll describes everything that the reader returns up to the end.
func readAll(t *testing.T, r *Reader) []string {
	t.Helper()
	var out []string
	for {
		m, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatalf("after %d messages: %v", len(out), err)
		}
		out = append(out, describe(m))
	}
}

// describe is all that the message holds, as text.
func describe(m *Message) string {
	switch m.Type {
	case TypeRecord:
		text := fmt.Sprintf("RECORD %q %q %d %s", m.Record.Namespace, m.Record.Stream, m.Record.EmittedAt, m.Record.Data)
		for _, c := range m.Record.Changes {
			text += fmt.Sprintf(" [%s %s %s]", c.Field, c.Change, c.Reason)
		}
		if m.Record.File {
			text += " FILE"
		}
		return text
	case TypeState:
		s := m.State
		return fmt.Sprintf("STATE %s %q stream_state=%s global=%s data=%s count=%g", s.Type, s.Stream, s.StreamState, s.Global, s.Data, s.RecordCount)
	case TypeLog, TypeText:
		return fmt.Sprintf("%s %s %s", m.Type, m.Log.Level, m.Log.Message)
	case TypeSpec:
		return fmt.Sprintf("SPEC %s", m.Spec)
	case TypeCatalog:
		return fmt.Sprintf("CATALOG %s", m.Catalog)
	case TypeConnectionStatus:
		return fmt.Sprintf("CONNECTION_STATUS %+v", *m.ConnectionStatus)
	case TypeControl:
		return fmt.Sprintf("CONTROL %s %.1f %s", m.Control.Type, m.Control.EmittedAt, m.Control.Config)
	case TypeTrace:
		return describeTrace(m.Trace)
	case TypeDefect:
		return fmt.Sprintf("DEFECT %+v", *m.Defect)
	default:
		return fmt.Sprintf("no such type: %+v", m)
	}
}

func describeTrace(t *Trace) string {
	text := fmt.Sprintf("TRACE %s %.1f", t.Type, t.EmittedAt)
	switch t.Type {
	case TraceError:
		stream, err := json.Marshal(t.Error.Stream)
		e := *t.Error
		e.Stream = nil
		return fmt.Sprintf("%s %+v %s %v", text, e, stream, err)
	case TraceEstimate:
		return fmt.Sprintf("%s %+v", text, *t.Estimate)
	case TraceStreamStatus:
		return fmt.Sprintf("%s %+v", text, *t.StreamStatus)
	default:
		return fmt.Sprintf("%s %+v", text, *t.Analytics)
	}
}

func TestTranscripts(t *testing.T) {
	for _, name := range transcripts(t) {
		t.Run(name, func(t *testing.T) {
			input := readFile(t, "testdata/transcripts/"+name+".in")
			r := NewReader(bytes.NewReader(input), transcriptOptions(name))
			got := strings.Join(readAll(t, r), "\n") + "\n"
			if r.Bytes() != int64(len(input)) {
				t.Errorf("Bytes() = %d, want %d", r.Bytes(), len(input))
			}
			if want := int64(len(strings.Split(strings.TrimRight(string(input), " \n\x00"), "\n"))); r.Lines() < want {
				t.Errorf("Lines() = %d, want at least %d", r.Lines(), want)
			}
			golden := "testdata/transcripts/" + name + ".golden"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if want := string(readFile(t, golden)); got != want {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}
