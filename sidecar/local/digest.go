package local

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
)

// digest identifies a state whatever a journal did to its spelling: Postgres' jsonb reorders members, drops white space and duplicate members,
// and writes 1e2 as 100. The digest of no state, and of `null`, is "".
func digest(state json.RawMessage) (string, error) {
	if len(bytes.TrimSpace(state)) == 0 {
		return "", nil
	}
	decoder := json.NewDecoder(bytes.NewReader(state))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return "", fmt.Errorf("a state is not JSON: %w", err)
	}
	if value == nil {
		return "", nil
	}
	canonical, err := json.Marshal(plainValues(value)) // sorts members
	if err != nil {
		return "", fmt.Errorf("a state cannot be encoded: %w", err)
	}
	sum := sha256.Sum256(canonical)
	return hex.EncodeToString(sum[:16]), nil
}

// digests are the digests of a saved state, for each stream that it covers: a GLOBAL state says of a stream what it shares with all, and what it
// holds for that one. The states of other streams do not count, since some of them are left out when the state is given to a source
// (sidecar.StatesForSource).
type digests struct {
	whole  string
	shared json.RawMessage
	own    map[airbyte.StreamDescriptor]json.RawMessage
}

// newDigests looks into a state.
func newDigests(state sidecar.SavedState) (digests, error) {
	whole, err := digest(state.State)
	if err != nil {
		return digests{}, fmt.Errorf("state %s: %w", state.Key, err)
	}
	sums := digests{whole: whole}
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
	sums.shared, sums.own = object.Shared, map[airbyte.StreamDescriptor]json.RawMessage{}
	for _, stream := range object.Streams {
		sums.own[stream.Descriptor] = stream.State
	}
	return sums, nil
}

// of is the digest for a stream.
func (d digests) of(stream airbyte.StreamDescriptor) (string, error) {
	if d.own == nil {
		return d.whole, nil
	}
	parts, err := json.Marshal([]json.RawMessage{orNull(d.shared), orNull(d.own[stream])})
	if err != nil {
		return "", fmt.Errorf("encode a state: %w", err)
	}
	return digest(parts)
}

// names says whether the state holds something for a stream of its own.
func (d digests) names(stream airbyte.StreamDescriptor) bool {
	return string(orNull(d.own[stream])) != "null"
}

func orNull(value json.RawMessage) json.RawMessage {
	if len(value) == 0 {
		return json.RawMessage("null")
	}
	return value
}

// plainValues replaces every number by its plainNumber; the first letter tells numbers from strings.
func plainValues(value any) any {
	switch value := value.(type) {
	case json.Number:
		return "n" + plainNumber(value.String())
	case string:
		return "s" + value
	case []any:
		for i := range value {
			value[i] = plainValues(value[i])
		}
	case map[string]any:
		for name := range value {
			value[name] = plainValues(value[name])
		}
	}
	return value
}

// plainNumber writes a JSON number as sign, digits and exponent, so that 1, 1.0, 10e-1 and 0.1E+1 are the same. It never rounds.
func plainNumber(literal string) string {
	mantissa, power, _ := strings.Cut(strings.ToLower(literal), "e")
	exponent := 0
	if power != "" {
		var err error
		if exponent, err = strconv.Atoi(power); err != nil || exponent > 1<<30 || exponent < -1<<30 {
			return literal // an exponent beyond any number: only its own spelling is equal to it
		}
	}
	digits, negative := strings.CutPrefix(mantissa, "-")
	whole, fraction, _ := strings.Cut(digits, ".")
	exponent -= len(fraction)
	digits = strings.TrimLeft(whole+fraction, "0")
	trimmed := strings.TrimRight(digits, "0")
	exponent += len(digits) - len(trimmed)
	if trimmed == "" {
		return "0"
	}
	sign := ""
	if negative {
		sign = "-"
	}
	return sign + trimmed + "e" + strconv.Itoa(exponent)
}
