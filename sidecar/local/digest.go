package local

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
	"sync-sidecar/sidecar/canonical"
)

// digest identifies a state whatever a journal did to its spelling: Postgres' jsonb reorders members, drops white space and duplicate members,
// and writes 1e2 as 100. The digest of no state, and of `null`, is "".
func digest(state json.RawMessage) (string, error) {
	text, err := canonical.JSON(state)
	if err != nil || string(text) == "null" {
		return "", err
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:digestBytes]), nil
}

// digestBytes is how much of a hash is enough.
const digestBytes = 16

// digests are the digests of a saved state, for each stream that it covers: a GLOBAL state says of a stream what it shares with all, and what it
// holds for that one. The states of other streams do not count, since some of them are left out when the state is given to a source
// (mapping.StatesForConnector).
type digests struct {
	stream airbyte.StreamDescriptor // of a STREAM state, where it is known
	whole  string
	own    map[airbyte.StreamDescriptor]json.RawMessage // nil when the state says the same of all streams
	begun  hash.Cloner                                  // has hashed what all streams share, which may be large, once
}

// newDigests looks into a state.
func newDigests(state sidecar.SavedState) (digests, error) {
	whole, err := digest(state.State)
	if err != nil {
		return digests{}, fmt.Errorf("state %s: %w", state.Key, err)
	}
	sums := digests{stream: state.Stream, whole: whole}
	if state.Key != sidecar.GlobalStateKey || whole == "" {
		return sums, nil
	}
	var object struct {
		Shared  json.RawMessage `json:"shared_state"`
		Streams []struct {
			Descriptor airbyte.StreamDescriptor `json:"stream_descriptor"`
			State      json.RawMessage          `json:"stream_state"`
		} `json:"stream_states"`
	}
	if err := json.Unmarshal(state.State, &object); err != nil || object.Shared == nil && object.Streams == nil {
		return sums, nil //nolint:nilerr // a state is a black box: one of another shape is taken as a whole
	}
	shared, err := canonical.JSON(object.Shared)
	if err != nil {
		return digests{}, fmt.Errorf("state %s: %w", state.Key, err)
	}
	cloner, clones := sha256.New().(hash.Cloner)
	if !clones {
		return digests{}, errors.New("this build's SHA-256 cannot be cloned")
	}
	if _, err := fmt.Fprintf(cloner, "[%s,", shared); err != nil {
		return digests{}, fmt.Errorf("hash a state: %w", err)
	}
	sums.begun, sums.own = cloner, map[airbyte.StreamDescriptor]json.RawMessage{}
	for _, stream := range object.Streams {
		sums.own[stream.Descriptor] = stream.State
	}
	return sums, nil
}

// of is the digest for a stream: that of the list of what is shared and what is its own.
func (d digests) of(stream airbyte.StreamDescriptor) (string, error) {
	if d.own == nil {
		return d.whole, nil
	}
	own, err := canonical.JSON(d.own[stream])
	if err != nil {
		return "", err
	}
	sum, err := d.begun.Clone()
	if err == nil {
		_, err = fmt.Fprintf(sum, "%s]", own)
	}
	if err != nil {
		return "", fmt.Errorf("hash a state: %w", err)
	}
	return hex.EncodeToString(sum.Sum(nil)[:digestBytes]), nil
}

// names says whether the state holds something for a stream of its own.
func (d digests) names(stream airbyte.StreamDescriptor) bool {
	own := bytes.TrimSpace(d.own[stream])
	return len(own) > 0 && string(own) != "null"
}
