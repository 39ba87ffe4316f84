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
type reservedKeys []reservedKey

// reservedKey is a reserved name and where its rarest byte is: every row is searched, and a single byte is found many times faster than a name.
type reservedKey struct {
	sidecar.ReservedKey
	rare int
}

// newReservedKeys prepares the search for names.
func newReservedKeys(keys []sidecar.ReservedKey) reservedKeys {
	const rarest = "qQJZXzjxVKWYUF" // of JSON rows, roughly
	prepared := make(reservedKeys, len(keys))
	for i, key := range keys {
		prepared[i].ReservedKey = key
		if at := strings.IndexAny(key.Name, rarest); at >= 0 {
			prepared[i].rare = at
		}
	}
	return prepared
}

// in says that a row may have such members. It is asked of every row.
func (k reservedKeys) in(row []byte) bool {
	for i := range k {
		if k[i].in(row) {
			return true
		}
	}
	return len(k) > 0 && escapesLetters(row)
}

// in says that the name is somewhere in a row.
func (k *reservedKey) in(row []byte) bool {
	for from := k.rare; from < len(row); from++ {
		at := bytes.IndexByte(row[from:], k.Name[k.rare])
		if at < 0 {
			return false
		}
		from += at
		if start := from - k.rare; len(row)-start >= len(k.Name) && string(row[start:start+len(k.Name)]) == k.Name {
			return true
		}
	}
	return false
}

// escapesLetters says that a row spells letters or underscores, of which names consist, as \u escapes, in which the name of a member can be hidden.
func escapesLetters(row []byte) bool {
	const longest = len(`\u0061`)
	for i := 0; i+longest <= len(row); {
		if row[i] != '\\' {
			at := bytes.IndexByte(row[i:], '\\')
			if at < 0 {
				return false
			}
			i += at
			continue
		}
		switch {
		case row[i+1] != 'u':
			i += 2 // the escaped character, too: it may be a backslash
		case row[i+2] == '0' && row[i+3] == '0' && row[i+4] >= '4' && row[i+4] <= '7':
			return true
		default:
			i += longest
		}
	}
	return false
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
