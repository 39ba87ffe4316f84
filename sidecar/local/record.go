package local

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"sync-sidecar/sidecar/airbyte"
)

// recordFile holds the record, recordVersion is the only version of it so far.
const (
	recordFile    = "state.json"
	recordVersion = 1
)

// record is state.json: the states, and how far each file of rows is committed by them. Both are written at once, by rename, or as one line of
// changes (see recordStore).
type record struct {
	Version   int                    `json:"version"`
	SyncID    string                 `json:"sync_id,omitempty"`
	UpdatedAt time.Time              `json:"updated_at"`
	Changes   int64                  `json:"changes"` // how many are in it
	States    map[string]stateRecord `json:"states"`  // by SavedState.Key
	Files     map[string]fileRecord  `json:"files"`   // by RowsFile
}

// stateRecord is the newest saved state of a key.
type stateRecord struct {
	Stream  *airbyte.StreamDescriptor `json:"stream,omitempty"`
	SavedAt time.Time                 `json:"saved_at"`
	State   json.RawMessage           `json:"state"`
}

// fileRecord says what is known of a file of rows. All figures are bytes from the file's begin, and ends of rows.
type fileRecord struct {
	Stream airbyte.StreamDescriptor `json:"stream"`
	// Committed is how far the newest saved state, or a finished read, vouches for the rows.
	Committed int64 `json:"committed_bytes"`
	// UnfinishedFrom is where the rows of a read begin that started without a state and has not finished; absent when there is none.
	UnfinishedFrom *int64 `json:"unfinished_from_bytes,omitempty"`
	// OnePerKey is how far the file was brought to one row per primary key.
	OnePerKey int64 `json:"one_row_per_key_bytes,omitempty"`
	// Left is how large the file was when the last read ended, and LeftAt when it was last changed then; absent while one is under way, and after one
	// that was killed.
	Left   *int64     `json:"left_bytes,omitempty"`
	LeftAt *time.Time `json:"left_changed_at,omitempty"`
	// Checkpoints are where the file stood at the last states, oldest first: whoever resumes from one of them cuts the file there.
	Checkpoints []checkpoint `json:"checkpoints,omitempty"`
	// Next replaces this record once the file is in place, which is the case when its size is Next.Committed.
	Next *fileRecord `json:"next,omitempty"`
	// TailFrom says of a Next that only the rows from there on are others: see replaceTail.
	TailFrom *int64 `json:"tail_from_bytes,omitempty"`
}

// checkpoint is a state and the size of the file that it covers.
type checkpoint struct {
	Key    string `json:"key"`
	Digest string `json:"digest"`
	Bytes  int64  `json:"bytes"`
}

// maxCheckpoints bounds a list while another journal does not answer. keptCheckpoints is what stays before one that it took: when the answer to
// a save was lost, the journal may hold the state before.
const (
	maxCheckpoints  = 16
	keptCheckpoints = 2
)

// add notes a checkpoint. What another journal surely took is among the oldest, what it may have taken among the newest: when there are too many,
// one in the middle goes.
func (f *fileRecord) add(point checkpoint) {
	list := slices.Clone(f.Checkpoints)
	if n := len(list); n > 0 && list[n-1].Key == point.Key && list[n-1].Digest == point.Digest {
		list = list[:n-1] // the same state again vouches for more rows
	}
	list = append(list, point)
	if len(list) > maxCheckpoints {
		list = slices.Delete(list, maxCheckpoints/2, maxCheckpoints/2+1)
	}
	f.Checkpoints, f.Committed = list, max(f.Committed, point.Bytes)
}

// confirm forgets what nobody can resume from any more, once the journal took the state of a key.
func (f *fileRecord) confirm(key, digest string) {
	if at := f.find(key, digest); at > keptCheckpoints {
		f.Checkpoints = slices.Clone(f.Checkpoints[at-keptCheckpoints:])
	}
}

// find is the index of the newest checkpoint at a state, or -1.
func (f *fileRecord) find(key, digest string) int {
	for i := len(f.Checkpoints) - 1; i >= 0; i-- {
		if f.Checkpoints[i].Key == key && f.Checkpoints[i].Digest == digest {
			return i
		}
	}
	return -1
}

// newest is the index of the checkpoint that is furthest on among those at one of the states, or -1.
func (f *fileRecord) newest(states []givenState) int {
	at := -1
	for _, state := range states {
		at = max(at, f.find(state.key, state.digest))
	}
	return at
}

// readRecord reads state.json of a sync's folder, and the changes to it. Without state.json the record is empty.
func readRecord(dir string) (record, error) {
	// First the changes: should they go into state.json meanwhile, state.json is newer than they are, and not the other way round.
	changes, err := readChanges(dir)
	if err != nil {
		return record{}, err
	}
	empty := record{Version: recordVersion, States: map[string]stateRecord{}, Files: map[string]fileRecord{}}
	path := filepath.Join(dir, recordFile)
	content, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return empty, nil
	}
	if err != nil {
		return record{}, fmt.Errorf("the saved state cannot be read: %w", err)
	}
	read := empty
	if err := json.Unmarshal(content, &read); err != nil {
		return record{}, recordError(path, describeJSON(content, err))
	}
	if fault := read.fault(); fault != "" {
		return record{}, recordError(path, fault)
	}
	read.replay(changes)
	if fault := read.fault(); fault != "" {
		return record{}, recordError(filepath.Join(dir, changesFile), fault)
	}
	return read, nil
}

// fault names the first thing in the record that cannot be right; "" when all is well.
func (r record) fault() string {
	if r.Version != recordVersion {
		return fmt.Sprintf("version is %d, and only %d is known here", r.Version, recordVersion)
	}
	if r.States == nil || r.Files == nil {
		return "states or files is null"
	}
	for name, file := range r.Files {
		if name != RowsFile(file.Stream) {
			return fmt.Sprintf("files.%q belongs to no stream of that name", name)
		}
		if fault := file.fault(); fault != "" {
			return fmt.Sprintf("files.%q.%s", name, fault)
		}
	}
	return ""
}

func (f fileRecord) fault() string {
	switch {
	case f.Committed < 0:
		return "committed_bytes is negative"
	case f.OnePerKey < 0:
		return "one_row_per_key_bytes is negative"
	case f.UnfinishedFrom != nil && *f.UnfinishedFrom < 0:
		return "unfinished_from_bytes is negative"
	case f.Left != nil && *f.Left < 0:
		return "left_bytes is negative"
	case f.TailFrom != nil && (*f.TailFrom < 0 || *f.TailFrom > f.Committed):
		return "tail_from_bytes is not within the file"
	}
	for i, point := range f.Checkpoints {
		if point.Bytes < 0 {
			return fmt.Sprintf("checkpoints[%d].bytes is negative", i)
		}
	}
	if f.Next != nil {
		if fault := f.Next.fault(); fault != "" {
			return "next." + fault
		}
	}
	return ""
}

// recordError is what a person needs to repair state.json, which we never do ourselves: it may be all there is of a long read.
func recordError(path, fault string) error {
	return fmt.Errorf("%s is damaged: %s: repair it, or move it away to read from the beginning (the rows stay as they are)", path, fault)
}

// describeJSON says where in content a JSON error is.
func describeJSON(content []byte, err error) string {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return fmt.Sprintf("line %d: %v", lineAt(content, syntax.Offset), err)
	}
	var mistyped *json.UnmarshalTypeError
	if errors.As(err, &mistyped) {
		return fmt.Sprintf("line %d: %s is a %s", lineAt(content, mistyped.Offset), strings.TrimPrefix(mistyped.Field, "."), mistyped.Value)
	}
	return err.Error()
}

// lineAt is the number of the line, from 1, that holds the byte before offset.
func lineAt(content []byte, offset int64) int {
	offset = min(max(offset-1, 0), int64(len(content)))
	return 1 + bytes.Count(content[:offset], []byte{'\n'})
}

// readable is value as JSON for people. Raw members keep their spelling up to white space.
func readable(value any) ([]byte, error) {
	var content bytes.Buffer
	encoder := json.NewEncoder(&content)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	err := encoder.Encode(value)
	return content.Bytes(), err
}
