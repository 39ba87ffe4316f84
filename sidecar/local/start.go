package local

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
)

// start is where the rows of a read begin in a file.
type start struct {
	bytes int64
	// untouched is a file that stays as it is because it will be replaced.
	untouched bool
	// doubt says why all rows stay although some may come again; "" when each comes exactly once.
	doubt string
	// changed is a file that is not as it was recorded: where it stood at earlier states says nothing.
	changed bool
}

// given is a state that the source was given and that covers a stream.
type givenState struct{ key, digest string }

// covering picks the states from which a source goes on with a stream. A full refresh starts again whatever a state of all streams says, unless that
// state names the stream.
func covering(given []sidecar.SavedState, stream airbyte.ConfiguredStream) ([]givenState, error) {
	var states []givenState
	descriptor := stream.Stream.Descriptor()
	for _, state := range given {
		wide := state.Key == sidecar.GlobalStateKey || state.Key == sidecar.LegacyStateKey
		if !wide && (state.Key != descriptor.String() || state.Stream.Name != "" && state.Stream != descriptor) {
			continue
		}
		sums, err := newDigests(state)
		if err != nil {
			return nil, err
		}
		if sums.whole == "" || wide && stream.SyncMode != airbyte.Incremental && !sums.names(descriptor) {
			continue // `null` is no state
		}
		sum, err := sums.of(descriptor)
		if err != nil {
			return nil, err
		}
		states = append(states, givenState{state.Key, sum})
	}
	return states, nil
}

// startOf decides where the rows of a read begin, from what is recorded of a file and how large it is.
func startOf(known fileRecord, found bool, stream airbyte.ConfiguredStream, states []givenState, size int64) start {
	if len(states) == 0 && overwritten(stream) {
		return start{bytes: size, untouched: true}
	}
	switch {
	case size == 0, !found && len(states) == 0: // no rows, or rows of another making
		return keepAll(size, "")
	case !found:
		return keepAll(size, "state.json does not say where it stood at the state that the source starts from")
	}
	end := known.Committed
	if len(states) > 0 {
		at := -1
		for _, state := range states {
			at = max(at, known.find(state.key, state.digest))
		}
		if at < 0 {
			return keepAll(size, "the state that the source starts from is not one of the last that were saved here")
		}
		end = known.Checkpoints[at].Bytes
	} else if known.UnfinishedFrom != nil {
		end = min(*known.UnfinishedFrom, end)
	}
	if end > size {
		return start{bytes: size, doubt: "it is smaller than recorded, someone cut or replaced it", changed: true}
	}
	return start{bytes: end}
}

// keepAll begins at the end of the file.
func keepAll(size int64, doubt string) start { return start{bytes: size, doubt: doubt} }

// begin is the record of a file at the begin of a read.
func (s start) begin(known fileRecord, stream airbyte.ConfiguredStream, states []givenState) fileRecord {
	if s.untouched {
		return known
	}
	begun := fileRecord{Stream: known.Stream, Committed: s.bytes, OnePerKey: min(known.OnePerKey, s.bytes)}
	for _, point := range known.Checkpoints {
		if point.Bytes <= s.bytes && !s.changed {
			begun.Checkpoints = append(begun.Checkpoints, point) // should this read come to nothing, another may start there
		}
	}
	for _, state := range states {
		begun.add(checkpoint{Key: state.key, Digest: state.digest, Bytes: s.bytes})
		begun.confirm(state.key, state.digest)
	}
	switch {
	case len(states) == 0:
		from := s.bytes
		begun.UnfinishedFrom = &from
	case stream.SyncMode != airbyte.Incremental && known.UnfinishedFrom != nil && *known.UnfinishedFrom <= s.bytes:
		begun.UnfinishedFrom = known.UnfinishedFrom // a later attempt of the same full refresh
	}
	return begun
}

// dropUncovered removes the saved states that no longer vouch for a stream's rows: before knew where the file stood at them, and begun does not,
// since rows were cut or replaced. A state that the source was given takes the place of one with the same key.
func (r *record) dropUncovered(stream airbyte.ConfiguredStream, before, begun fileRecord, given []sidecar.SavedState) error {
	saved, err := r.saved()
	if err != nil {
		return err
	}
	states, err := covering(saved, stream)
	if err != nil {
		return err
	}
	for _, state := range states {
		if begun.find(state.key, state.digest) >= 0 || before.find(state.key, state.digest) < 0 {
			continue
		}
		delete(r.States, state.key)
		for _, other := range given {
			if other.Key == state.key {
				r.keep(other)
			}
		}
	}
	return nil
}

// overwritten says that a read makes a new file of the stream.
func overwritten(stream airbyte.ConfiguredStream) bool {
	return stream.DestinationSyncMode == airbyte.Overwrite
}

// endsRow says whether a row ends at offset: the byte before is a line feed.
func endsRow(path string, offset int64) (bool, error) {
	if offset == 0 {
		return true, nil
	}
	file, err := os.Open(path)
	if err != nil {
		return false, diskError(path, err)
	}
	last := make([]byte, 1)
	_, err = file.ReadAt(last, offset-1)
	if err = errors.Join(err, file.Close()); err != nil {
		return false, diskError(path, err)
	}
	return last[0] == '\n', nil
}

// wholeRows is the size of a file without the part of a row at its end that a crash may have left there. When that part is a whole row that only
// lacks its line feed (an editor's doing), the line feed is added.
func wholeRows(path string, size int64) (_ int64, err error) {
	if whole, err := endsRow(path, size); whole || err != nil {
		return size, err
	}
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return 0, diskError(path, err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	tail, err := lastLine(file, size)
	if err != nil {
		return 0, diskError(path, err)
	}
	if !json.Valid(tail) {
		return size - int64(len(tail)), nil
	}
	if _, err := file.WriteAt([]byte{'\n'}, size); err != nil {
		return 0, diskError(path, err)
	}
	return size + 1, nil
}

// lastLine is what follows the last line feed before size.
func lastLine(file io.ReaderAt, size int64) ([]byte, error) {
	for length := min(size, 64<<10); ; length = min(size, 2*length) {
		tail := make([]byte, length)
		if _, err := file.ReadAt(tail, size-length); err != nil {
			return nil, err
		}
		if at := bytes.LastIndexByte(tail, '\n'); at >= 0 {
			return tail[at+1:], nil
		}
		if length == size {
			return tail, nil
		}
	}
}
