package session

import "sync"

// warnings are the lines that belong into the report.
type warnings struct {
	mu sync.Mutex
	// +checklocks:mu
	lines []string
}

// add keeps a line, unless there are many.
func (w *warnings) add(line string) {
	const most = 20
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.lines) < most {
		w.lines = append(w.lines, line)
	}
}

// list is a copy.
func (w *warnings) list() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string(nil), w.lines...)
}
