package destination

import (
	"context"
	"fmt"

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

// Notes implements sidecar.Noter.
func (c *Client) Notes() []sidecar.Note {
	c.mu.Lock()
	defer c.mu.Unlock()
	notes := make([]sidecar.Note, 0, len(c.notes.order))
	for _, key := range c.notes.order {
		text, count := key.reason, c.notes.count[key]
		switch {
		case key.column != "":
			text = fmt.Sprintf("column %q: %d values: %s", key.column, count, key.reason)
		case count > 1:
			text = fmt.Sprintf("%d times: %s", count, key.reason)
		}
		notes = append(notes, sidecar.Note{Stream: key.stream, Text: text})
	}
	return notes
}
