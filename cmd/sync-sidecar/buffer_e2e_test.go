package main

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"time"
)

// lockedBuffer takes the output of a process while a test looks at it.
type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write appends.
func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

// String is what was written so far.
func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// await polls until a word was written.
func (b *lockedBuffer) await(t *testing.T, word string) {
	t.Helper()
	eventually(t, func() bool { return strings.Contains(b.String(), word) }, func() string { return "no " + word + " in " + b.String() })
}

// eventually polls until something is so.
func eventually(t *testing.T, so func() bool, otherwise func() string) {
	t.Helper()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for deadline := time.Now().Add(podLimit); !so(); <-ticker.C {
		if time.Now().After(deadline) {
			t.Fatal(otherwise())
		}
	}
}
