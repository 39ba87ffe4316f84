package session

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tidwall/gjson"

	"sync-sidecar/sidecar/airbyte"
	"sync-sidecar/sidecar/jsonobject"
	"sync-sidecar/sidecar/logs"
)

// oversizeRow is the defect kind of rows that are longer than the destination takes.
const oversizeRow = "oversize_row"

// shrink makes a row fit that is longer than the destination takes, by nulling its largest fields with a note in the row, or, by default, fails its
// stream: nil means that the row is not delivered. Bulker aborts a whole batch for one such row. The changes are those that the row came with.
func (r *read) shrink(s *stream, data []byte, changes []airbyte.Change, limit int, now time.Time) []byte {
	r.defects[oversizeRow]++
	s.count(oversizeRow)
	key, size := rowKey(data, s.config.Table.PrimaryKey), rowSize(data, r.extra)
	tooLong := fmt.Sprintf("row %s of %d bytes is longer than %s takes (%d)", key, size, r.destination, limit)
	if !r.config.DropLargeFields {
		r.lose(s, tooLong+": set OVERSIZE_ROWS=drop-fields to null its largest fields")
		return nil
	}
	const spare = 4096 // for the notes
	data, dropped, err := dropLargest(data, limit-len(r.extra)-spare, s.config.Table.PrimaryKey)
	if err != nil {
		r.lose(s, fmt.Sprintf("%s and could not be made smaller: %v", tooLong, err))
		return nil
	}
	r.logs.Of(s.key).Warn(fmt.Sprintf("stream %q: row %s was %d bytes; dropped: %s", s.descriptor, key, size, strings.Join(dropped, ", ")))
	changes = slices.Clone(changes)
	for _, field := range dropped {
		changes = append(changes, airbyte.Change{Field: field, Change: "NULLED", Reason: "DESTINATION_RECORD_SIZE_LIMITATION"})
	}
	r.extra = appendMeta(r.extra[:0], r.config.AddMeta, now, changes)
	return data
}

// rowKey names a row by its primary key, never by its content.
func rowKey(data []byte, key [][]string) string {
	if len(key) == 0 {
		return "without a primary key"
	}
	const most = 100
	var parts []string
	for _, path := range key {
		value := gjson.ParseBytes(data)
		for _, name := range path {
			value = value.Get(gjson.Escape(name))
		}
		parts = append(parts, fmt.Sprintf("%s=%s", strings.Join(path, "."), logs.Cut(value.Raw, most)))
	}
	return strings.Join(parts, ",")
}

// errAllKeys is why a row cannot be made smaller.
var errAllKeys = errors.New("its primary key alone is too long")

// dropLargest nulls the largest top-level members of an object, except those with a key in them, until it is at most limit bytes. The others keep
// their bytes.
func dropLargest(data []byte, limit int, key [][]string) (smaller []byte, dropped []string, err error) {
	members, err := jsonobject.Split(data)
	if err != nil {
		return nil, nil, err
	}
	order := make([]int, len(members))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return len(members[b].Value) - len(members[a].Value) })
	size := len(data)
	for _, i := range order {
		if size <= limit {
			break
		}
		keyed := slices.ContainsFunc(key, func(path []string) bool { return path[0] == members[i].Name })
		if keyed || len(members[i].Value) <= len("null") {
			continue
		}
		size -= len(members[i].Value) - len("null")
		members[i].Value = json.RawMessage("null")
		dropped = append(dropped, members[i].Name)
	}
	if size > limit {
		return nil, nil, errAllKeys
	}
	smaller, err = jsonobject.Join(members)
	return smaller, dropped, err
}
