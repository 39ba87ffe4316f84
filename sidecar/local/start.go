package local

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
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
	// missing is how many bytes the state that the source starts from counts on, when the file has fewer: nothing may be read then.
	missing int64
	// doubt says why all rows stay although some may come again; "" when each comes exactly once.
	doubt string
	// changed is a file that is not as it was recorded: where it stood at earlier states says nothing.
	changed bool
	// notes are what else a person should know of the file.
	notes string
}

// givenState is a state that a stream goes on from.
type givenState struct{ key, digest string }

// stateIndex finds the states that a stream goes on from, by key.
type stateIndex map[string][]digests

// indexStates looks into states once, for all streams.
func indexStates(states []sidecar.SavedState) (stateIndex, error) {
	index := stateIndex{}
	for _, state := range states {
		sums, err := newDigests(state)
		if err != nil {
			return nil, err
		}
		if sums.whole != "" { // `null` is no state
			index[state.Key] = append(index[state.Key], sums)
		}
	}
	return index, nil
}

// covering picks the states from which a source goes on with a stream. A full refresh starts again whatever a state of all streams says, unless that
// state names the stream.
func (x stateIndex) covering(stream airbyte.ConfiguredStream) ([]givenState, error) {
	var states []givenState
	descriptor := stream.Stream.Descriptor()
	for _, key := range []string{descriptor.String(), sidecar.GlobalStateKey, sidecar.LegacyStateKey} {
		for _, sums := range x[key] {
			all := sidecar.OfAllStreams(key)
			if !all && sums.stream.Name != "" && sums.stream != descriptor ||
				all && stream.SyncMode != airbyte.Incremental && !sums.names(descriptor) {
				continue
			}
			sum, err := sums.of(descriptor)
			if err != nil {
				return nil, err
			}
			states = append(states, givenState{key, sum})
		}
	}
	return states, nil
}

// startOf decides where the rows of a read begin, from what is recorded of a file and how large it is.
func startOf(known fileRecord, found bool, stream airbyte.ConfiguredStream, states []givenState, size int64) start {
	if len(states) == 0 && overwritten(stream) {
		return start{bytes: size, untouched: true}
	}
	if !found {
		return startOfUnknown(states, size)
	}
	end := known.Committed
	switch {
	case len(states) > 0:
		at := known.newest(states)
		if at < 0 {
			return keepAll(size, "the state that the source starts from is not one of the last that were saved here")
		}
		if end = known.Checkpoints[at].Bytes; end > size {
			return start{bytes: size, missing: end}
		}
	case known.UnfinishedFrom != nil:
		end = min(*known.UnfinishedFrom, end)
	}
	if end > size { // no state counts on what somebody took away
		begin := keepAll(size, "")
		if begin.changed = true; size > 0 {
			begin.doubt = "it is smaller than recorded, someone cut or replaced it"
		}
		return begin
	}
	return start{bytes: end}.added(known.Left, size)
}

// startOfUnknown is startOf for a file that state.json does not know: its rows are of another making, and stay.
func startOfUnknown(states []givenState, size int64) start {
	begin := keepAll(size, "")
	switch {
	case len(states) > 0 && size > 0:
		begin.doubt = "state.json does not say where it stood at the state that the source starts from"
	case len(states) > 0:
		begin.notes = "holds only what is read from now on: the rows from before the state that the source starts from were never here"
	}
	return begin
}

// added looks for what somebody added to a file since the last read left it with so many bytes, which is not known when that was killed.
func (s start) added(left *int64, size int64) start {
	if left == nil || size <= *left {
		return s
	}
	s.notes = fmt.Sprintf("has %d bytes that somebody added since the last read", size-*left)
	if s.bytes == *left {
		s.bytes, s.notes = size, s.notes+": they stay"
	} else {
		s.notes += ": they go, with the rows before them that no state covers"
	}
	return s
}

// keepAll begins at the end of the file.
func keepAll(size int64, doubt string) start { return start{bytes: size, doubt: doubt} }

// warning is what a person is told of a file; "" when there is nothing to tell.
func (s start) warning(path string) string {
	switch {
	case s.doubt != "":
		return fmt.Sprintf("%s keeps all its rows, some may be there twice: %s", path, s.doubt)
	case s.notes != "":
		return path + " " + s.notes
	}
	return ""
}

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
