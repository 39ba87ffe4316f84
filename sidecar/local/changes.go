package local

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"time"
)

// changesFile holds what has changed since state.json was written, one change a line.
const changesFile = "state.changes.ndjson"

// smallRecord is how large state.json is before changes get a file of their own. Until then it is written anew for each.
const smallRecord = 8 << 10

// change is one change of the record, and a line of changesFile.
type change struct {
	Number int64                   `json:"change"` // record.Changes once it is in there
	At     time.Time               `json:"at"`
	States map[string]*stateRecord `json:"states,omitempty"` // by key; null is gone
	Files  map[string]fileRecord   `json:"files,omitempty"`  // by name
}

// with is the record with a change; the first one stays as it is.
func (r record) with(c change) record {
	r.States, r.Files = maps.Clone(r.States), maps.Clone(r.Files)
	r.apply(c)
	return r
}

// apply puts a change into the record.
func (r *record) apply(c change) {
	r.Changes, r.UpdatedAt = c.Number, c.At
	for key, state := range c.States {
		if state == nil {
			delete(r.States, key)
		} else {
			r.States[key] = *state
		}
	}
	maps.Copy(r.Files, c.Files)
}

// replay puts changes into the record that were written after it. Changes that do not go on from it are of another one, which somebody has
// replaced by hand.
func (r *record) replay(changes []change) {
	for _, c := range changes {
		switch {
		case c.Number <= r.Changes: // state.json was written since
		case c.Number == r.Changes+1:
			r.apply(c)
		default:
			return
		}
	}
}

// readChanges reads the file of changes. A kill may have torn its last line, which nobody was told is saved.
func readChanges(dir string) ([]change, error) {
	path := filepath.Join(dir, changesFile)
	content, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("the saved state cannot be read: %w", err)
	}
	var changes []change
	lines := bytes.SplitAfter(content, []byte{'\n'})
	for i, line := range lines {
		if !bytes.HasSuffix(line, []byte{'\n'}) {
			break
		}
		var c change
		if err := json.Unmarshal(line, &c); err != nil {
			if len(bytes.Join(lines[i+1:], nil)) == 0 {
				break
			}
			return nil, recordError(path, fmt.Sprintf("line %d: %v", i+1, err))
		}
		changes = append(changes, c)
	}
	return changes, nil
}

// edit is a change of the record in the making. It reads as the record will be.
type edit struct {
	record *record
	change
}

// newEdit begins a change of a record, which stays as it is.
func newEdit(r *record) *edit {
	return &edit{record: r, change: change{Number: r.Changes + 1, At: now(), States: map[string]*stateRecord{}, Files: map[string]fileRecord{}}}
}

// has says whether there is a saved state of a key.
func (e *edit) has(key string) bool {
	if state, changed := e.States[key]; changed {
		return state != nil
	}
	_, found := e.record.States[key]
	return found
}

// keys are those of the saved states.
func (e *edit) keys() []string {
	var keys []string
	for key := range e.record.States {
		if _, changed := e.States[key]; !changed {
			keys = append(keys, key)
		}
	}
	for key, state := range e.States {
		if state != nil {
			keys = append(keys, key)
		}
	}
	return keys
}

func (e *edit) setState(key string, state stateRecord) { e.States[key] = &state }

func (e *edit) dropState(key string) {
	if e.has(key) {
		e.States[key] = nil
	}
}

// file is what is recorded of a file of rows.
func (e *edit) file(name string) (file fileRecord, found bool) {
	if file, found = e.Files[name]; !found {
		file, found = e.record.Files[name]
	}
	return file, found
}

func (e *edit) setFile(name string, file fileRecord) { e.Files[name] = file }

// recordStore brings the record to the disk: as a whole, or, while that is much more than what has changed, the changes alone. With thousands of
// streams to record, each of which changes a few times, everything is written a few times and not a few thousand times.
type recordStore struct {
	dir     string
	small   int64    // smallRecord, but in tests
	whole   int64    // size of state.json; 0 when this process has not written it
	changes *os.File // nil until the first one is written
	size    int64    // of changes
}

// write writes a change of a record. When synced is false a power cut may undo it.
func (s *recordStore) write(old record, c change, synced bool) error {
	line, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("encode %s: %w", changesFile, err)
	}
	line = append(line, '\n')
	if s.whole > 0 && s.size+int64(len(line)) <= s.whole-s.small {
		return s.append(line, synced)
	}
	return s.rewrite(old.with(c))
}

// append adds a line to the changes.
func (s *recordStore) append(line []byte, synced bool) (err error) {
	path := filepath.Join(s.dir, changesFile)
	if s.changes == nil {
		if s.changes, err = os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC|os.O_APPEND, 0o644); err != nil {
			return diskError(path, err)
		}
		if err := syncPath(s.dir); err != nil {
			return err
		}
	}
	_, err = s.changes.Write(line)
	if err == nil && synced {
		err = s.changes.Sync()
	}
	if err != nil {
		// A part of the line would damage those after it: until it is gone, state.json is written anew.
		if s.changes.Truncate(s.size) != nil {
			s.whole = 0
		}
		return diskError(path, err)
	}
	s.size += int64(len(line))
	return nil
}

// rewrite writes state.json, which then holds all changes.
func (s *recordStore) rewrite(r record) error {
	content, err := readable(r)
	if err != nil {
		return fmt.Errorf("encode %s: %w", recordFile, err)
	}
	if err := replaceFile(filepath.Join(s.dir, recordFile), content); err != nil {
		return err
	}
	s.whole = int64(len(content))
	if s.drop() != nil {
		s.whole = 0 // their numbers say that they are in state.json, and the next write tries again
	}
	return nil
}

// drop removes the changes.
func (s *recordStore) drop() error {
	var err error
	if s.changes != nil {
		err = s.changes.Close()
	}
	s.changes, s.size = nil, 0
	return errors.Join(err, removeIfThere(filepath.Join(s.dir, changesFile)))
}
