package destination

import (
	"context"
	"fmt"
	"strconv"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
	"sync-sidecar/sidecar/postgres/layout"
)

// noteKey is what is counted together.
type noteKey struct {
	stream         airbyte.StreamDescriptor
	column, reason string
}

// notebook counts what did not go into tables as it was.
type notebook struct {
	order []noteKey
	count map[noteKey]int64
}

// keepNotes adds what the encoder of a load that was committed has noted.
func (c *Client) keepNotes(stream airbyte.StreamDescriptor, notes []layout.Note) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, note := range notes {
		key := noteKey{stream: stream, column: note.Column, reason: note.Reason}
		if _, known := c.notes.count[key]; !known {
			c.notes.order = append(c.notes.order, key)
		}
		c.notes.count[key] += note.Count
	}
}

// keyLater gives a table the primary key that its new rows allow. The rows are there already: that it could not be made is a note, and the next load
// tries it again.
func (c *Client) keyLater(ctx context.Context, w *work) {
	if !w.keyless {
		return
	}
	if err := c.changeKey(ctx, w); err != nil {
		c.keepNotes(w.target.stream, []layout.Note{{Reason: fmt.Sprintf("the primary key (%s) of table %s could not be made, the next load tries again: %v",
			identifiers(w.key), w.place, err), Count: 1}})
	}
}

// mostColumns is how many columns of a stream have a note of their own for one reason; of more there is one note.
const mostColumns = 8

// sameNote is what several columns may share.
type sameNote struct {
	stream airbyte.StreamDescriptor
	reason string
}

// Notes implements sidecar.Noter.
func (c *Client) Notes() []sidecar.Note {
	c.mu.Lock()
	defer c.mu.Unlock()
	columns, counts := map[sameNote][]string{}, map[sameNote]int64{}
	for _, key := range c.notes.order {
		same := sameNote{key.stream, key.reason}
		columns[same] = append(columns[same], strconv.Quote(key.column))
		counts[same] += c.notes.count[key]
	}
	notes := make([]sidecar.Note, 0, len(columns))
	for _, key := range c.notes.order {
		text, count, same := key.reason, c.notes.count[key], sameNote{key.stream, key.reason}
		switch first := columns[same]; {
		case len(first) > mostColumns && strconv.Quote(key.column) != first[0]:
			continue
		case len(first) > mostColumns:
			text = fmt.Sprintf("%d columns (%s, …): %d values: %s", len(first), joined(first[:3]), counts[same], key.reason)
		case key.column != "":
			text = fmt.Sprintf("column %q: %d values: %s", key.column, count, key.reason)
		case count > 1:
			text = fmt.Sprintf("%d times: %s", count, key.reason)
		}
		notes = append(notes, sidecar.Note{Stream: key.stream, Text: text})
	}
	return notes
}
