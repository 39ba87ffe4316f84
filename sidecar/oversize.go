package sidecar

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"sync-sidecar/sidecar/airbyte"
)

// oversizeRow is the defect kind of rows that are longer than the destination takes.
const oversizeRow = "oversize_row"

// shrink makes a row fit that is longer than the destination takes, by nulling its largest fields with a note in the row, or, by default, fails its
// stream: nil means that the row is not delivered. Bulker aborts a whole batch for one such row.
func (r *read) shrink(s *streamRead, record *airbyte.Record, limit int) []byte {
	r.defects[oversizeRow]++
	s.defects[oversizeRow]++
	key := rowKey(record.Data, r.delivery.streams[s.index].config.Table.PrimaryKey)
	if !r.config.DropLargeFields {
		r.lose(s, fmt.Sprintf("row %s of %d bytes is longer than %s takes (%d): set OVERSIZE_ROWS=drop-fields to null its largest fields",
			key, len(record.Data), r.delivery.destination, limit))
		return nil
	}
	const spare = 4096 // for the notes
	data, dropped, err := dropLargest(record.Data, limit-len(r.extra)-spare, r.delivery.streams[s.index].config.Table.PrimaryKey)
	if err != nil {
		r.lose(
			s,
			fmt.Sprintf(
				"row %s of %d bytes is longer than %s takes (%d) and could not be made smaller: %v",
				key,
				len(record.Data),
				r.delivery.destination,
				limit,
				err,
			),
		)
		return nil
	}
	r.logs.Warn(fmt.Sprintf("stream %q: row %s was %d bytes; dropped: %s", s.descriptor, key, len(record.Data), strings.Join(dropped, ", ")))
	changes := slices.Clone(record.Changes)
	for _, field := range dropped {
		changes = append(changes, airbyte.Change{Field: field, Change: "NULLED", Reason: "DESTINATION_RECORD_SIZE_LIMITATION"})
	}
	r.extra = appendMeta(r.extra[:0], r.config.AddMeta, r.source.left, changes)
	return data
}

// rowKey names a row by its primary key, never by its content.
func rowKey(data []byte, key []string) string {
	if len(key) == 0 {
		return "without a primary key"
	}
	members := map[string]json.RawMessage{}
	if json.Unmarshal(data, &members) != nil {
		return "with an unreadable key"
	}
	const most = 100
	var parts []string
	for _, name := range key {
		value := members[name]
		if len(value) > most {
			value = append(slices.Clone(value[:most]), "…"...)
		}
		parts = append(parts, fmt.Sprintf("%s=%s", name, value))
	}
	return strings.Join(parts, ",")
}

// errAllKeys is why a row cannot be made smaller.
var errAllKeys = errors.New("its primary key alone is too long")

// dropLargest nulls the largest top-level members of an object, except keys, until it is at most limit bytes. The others keep their bytes.
func dropLargest(data []byte, limit int, keys []string) (smaller []byte, dropped []string, err error) {
	names, values, err := topLevel(data)
	if err != nil {
		return nil, nil, err
	}
	order := make([]int, len(names))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return len(values[b]) - len(values[a]) })
	size := len(data)
	for _, i := range order {
		if size <= limit {
			break
		}
		if slices.Contains(keys, names[i]) || len(values[i]) <= len("null") {
			continue
		}
		size -= len(values[i]) - len("null")
		values[i] = json.RawMessage("null")
		dropped = append(dropped, names[i])
	}
	if size > limit {
		return nil, nil, errAllKeys
	}
	smaller, err = object(names, values)
	return smaller, dropped, err
}

// object puts top-level members together again.
func object(names []string, values []json.RawMessage) ([]byte, error) {
	text := []byte{'{'}
	for i, name := range names {
		encoded, err := json.Marshal(name)
		if err != nil {
			return nil, fmt.Errorf("encode field name: %w", err)
		}
		if i > 0 {
			text = append(text, ',')
		}
		text = append(append(append(text, encoded...), ':'), values[i]...)
	}
	return append(text, '}'), nil
}

// topLevel splits an object into its top-level members, in order.
func topLevel(data []byte) (names []string, values []json.RawMessage, err error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	if _, err = decoder.Token(); err != nil {
		return nil, nil, fmt.Errorf("read row: %w", err)
	}
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return nil, nil, fmt.Errorf("read row: %w", err)
		}
		name, isName := token.(string)
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil || !isName {
			return nil, nil, fmt.Errorf("read row: %w", errors.Join(err, io.ErrUnexpectedEOF))
		}
		names, values = append(names, name), append(values, value)
	}
	return names, values, nil
}
