package bulkertest

import (
	"net/http"
	"sync"
	"time"
)

// Moment is when a fault strikes.
type Moment string

// The moments of a request.
const (
	AtHeaders Moment = "headers" // before anything of the body is read
	AtRow     Moment = "row"     // after Fault.Row rows, while more may follow
	AtEnd     Moment = "end"     // after the last row
)

// Fault is something that goes wrong with requests to /bulk. The zero Status cuts the connection.
type Fault struct {
	Table  string `json:"table,omitempty"`  // of the loads that it strikes; empty is any
	Skip   int    `json:"skip,omitempty"`   // loads that pass before
	Times  int    `json:"times,omitempty"`  // 0 is once, negative is always
	Moment Moment `json:"moment,omitempty"` // empty is AtHeaders
	Row    int64  `json:"row,omitempty"`    // for AtRow
	// Commit makes a fault at the end strike after the rows were committed.
	Commit bool `json:"commit,omitempty"`
	// Delay passes before it strikes, in nanoseconds.
	Delay time.Duration `json:"delay,omitempty"`
	// Status is answered; 0 cuts the connection; 200 is no fault but a delay.
	Status int `json:"status,omitempty"`
	// Error is the text of the answer, in Bulker's form; empty is an empty body.
	Error string `json:"error,omitempty"`
	// Body is the whole body instead, as a proxy would answer.
	Body string `json:"body,omitempty"`
}

// faults are the faults that wait.
type faults struct {
	mu sync.Mutex
	// +checklocks:mu
	list []*Fault
}

func (f *faults) add(list []Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, fault := range list {
		if fault.Times == 0 {
			fault.Times = 1
		}
		if fault.Moment == "" {
			fault.Moment = AtHeaders
		}
		f.list = append(f.list, &fault)
	}
}

// next takes the fault that strikes a load of a table; nil when none does.
func (f *faults) next(table string) *Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, fault := range f.list {
		if fault.Times == 0 || (fault.Table != "" && fault.Table != table) {
			continue
		}
		if fault.Skip > 0 {
			fault.Skip--
			continue
		}
		if fault.Times > 0 {
			fault.Times--
		}
		struck := *fault
		return &struck
	}
	return nil
}

// strikes says whether the fault is for this moment.
func (f *Fault) strikes(moment Moment, row int64) bool {
	return f != nil && f.Moment == moment && (moment != AtRow || row == f.Row)
}

// strike waits and then does what the fault says; false when the request goes on.
func (s *Server) strike(w http.ResponseWriter, f *Fault) bool {
	s.wait(f.Delay)
	switch {
	case f.Status == http.StatusOK:
		return false
	case f.Status == 0:
		cut(w)
	case f.Error != "":
		writeError(w, f.Status, f.Error)
	default:
		w.WriteHeader(f.Status)
		_, _ = w.Write([]byte(f.Body)) // a client that has gone does not get it
	}
	return true
}
