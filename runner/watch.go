package runner

import "sync"

// Serial is the same watch with an Event that may be called from many goroutines, and may be nil.
func (w Watch) Serial() Watch {
	var mutex sync.Mutex
	show := w.Event
	w.Event = func(event Event) {
		mutex.Lock()
		defer mutex.Unlock()
		if show != nil {
			show(event)
		}
	}
	return w
}
