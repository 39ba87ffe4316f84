package destination

import (
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

// Notes implements sidecar.Noter.
func (c *Client) Notes() []sidecar.Note {
	c.mu.Lock()
	defer c.mu.Unlock()
	notes := make([]sidecar.Note, 0, len(c.notes.order))
	for _, key := range c.notes.order {
		text := fmt.Sprintf("%d values: %s", c.notes.count[key], key.reason)
		if key.column != "" {
			text = fmt.Sprintf("column %q: %s", key.column, text)
		}
		notes = append(notes, sidecar.Note{Stream: key.stream, Text: text})
	}
	return notes
}
