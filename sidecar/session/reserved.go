package session

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/jsonobject"
)

// reservedKeyDefect is the defect kind of members that were taken out of rows because the destination would take them as instructions.
const reservedKeyDefect = "reserved_key"

// reservedKeys finds members in rows that a destination would take as instructions instead of data.
type reservedKeys []sidecar.ReservedKey

// in says that a row may have such members. It is asked of every row.
func (k reservedKeys) in(row []byte) bool {
	for _, key := range k {
		if bytes.Contains(row, []byte(key.Name)) {
			return true
		}
	}
	return len(k) > 0 && escapesLetters(row)
}

// escapesLetters says that a row spells printable ASCII as \u escapes, in which the name of a member can be hidden.
func escapesLetters(row []byte) bool {
	const prefix = `\u00`
	for {
		at := bytes.Index(row, []byte(prefix))
		if at < 0 || at+len(prefix) >= len(row) {
			return false
		}
		row = row[at+len(prefix):]
		if row[0] >= '2' && row[0] <= '7' {
			return true
		}
	}
}

// without takes such members out of a row, and says how many there were.
func (k reservedKeys) without(row []byte, nested bool) (clean []byte, taken int, err error) {
	members, err := jsonobject.Split(row)
	if err != nil {
		return nil, 0, err
	}
	kept := members[:0]
	for _, member := range members {
		if k.match(member.Name, nested) {
			taken++
			continue
		}
		if len(member.Value) > 0 && member.Value[0] == '{' && k.in(member.Value) {
			inner, inside, err := k.without(member.Value, true)
			if err != nil {
				return nil, 0, err
			}
			if taken += inside; inside > 0 {
				member.Value = json.RawMessage(inner)
			}
		}
		kept = append(kept, member)
	}
	if taken == 0 {
		return row, 0, nil // as it was spelled
	}
	clean, err = jsonobject.Join(kept)
	return clean, taken, err
}

// match says that a name is reserved.
func (k reservedKeys) match(name string, nested bool) bool {
	for _, key := range k {
		if (!nested || !key.TopLevel) && (name == key.Name || key.Prefix && strings.HasPrefix(name, key.Name)) {
			return true
		}
	}
	return false
}

// unreserved is a row without the members that the destination would take as instructions: a connector may give it rows, but no orders.
func (r *read) unreserved(s *stream, data []byte) []byte {
	clean, taken, err := r.reserved.without(data, false)
	if err != nil {
		r.lose(s, fmt.Sprintf("a row with members that %s takes as instructions cannot be read: %v", r.destination, err))
		return nil
	}
	if taken > 0 {
		r.defects[reservedKeyDefect] += int64(taken)
		s.countMore(reservedKeyDefect, int64(taken))
		r.tellOnce(s, fmt.Sprintf("stream %q: members of rows that %s takes as instructions (%s) are left out, and so are further ones "+
			"(ALLOW_RESERVED_KEYS passes them on)", s.descriptor, r.destination, r.reserved.names()))
	}
	return clean
}

// names are the reserved names, for people.
func (k reservedKeys) names() string {
	var names []string
	for _, key := range k {
		name := key.Name
		if key.Prefix {
			name += "…"
		}
		names = append(names, name)
	}
	return strings.Join(names, ", ")
}
