package remote

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"sync"
)

// ledger sees to it that a call which is sent again is done once. Its zero value is ready.
type ledger struct {
	mu sync.Mutex
	// +checklocks:mu
	client string
	// +checklocks:mu
	entries map[int64]*entry
}

// entry is a call that is being answered, or was.
type entry struct {
	done chan struct{}
	text []byte // of the answer; nil when there was none before its connection broke. It is read when done is closed.
}

// once does a call, or waits for the answer to it when it is a call that came before. broken says that it could not be done since its connection
// broke: whoever sends it again has it done again.
func (l *ledger) once(r *http.Request, do func() (a answer, broken bool)) ([]byte, error) {
	number, err := strconv.ParseInt(r.Header.Get(headerNumber), 10, 64)
	if err != nil {
		return nil, fmt.Errorf("a call without a number: %w", err)
	}
	oldest, err := strconv.ParseInt(r.Header.Get(headerOldest), 10, 64)
	if err != nil {
		return nil, fmt.Errorf("a call without the oldest number: %w", err)
	}
	for {
		mine, earlier := l.begin(r.Header.Get(headerClient), number, oldest)
		if earlier == nil {
			given, broken := do()
			if !broken {
				if mine.text, err = json.Marshal(given); err != nil {
					mine.text = nil
				}
			}
			l.end(number, mine)
			return mine.text, err
		}
		select {
		case <-earlier.done:
			if earlier.text != nil {
				return earlier.text, nil
			}
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
}

// begin is the entry of a call that came before, or else a new one. Answers that nobody asks for any more are forgotten.
func (l *ledger) begin(client string, number, oldest int64) (mine, earlier *entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.client != client || l.entries == nil {
		l.client, l.entries = client, map[int64]*entry{}
	}
	for known := range l.entries {
		if known < oldest {
			delete(l.entries, known)
		}
	}
	if found := l.entries[number]; found != nil {
		return nil, found
	}
	mine = &entry{done: make(chan struct{})}
	l.entries[number] = mine
	return mine, nil
}

// settle waits until a call has ended, and returns its answer. One that has not begun yet never will.
func (l *ledger) settle(ctx context.Context, number int64) (answer, error) {
	void := answer{Void: true, Error: failureOf(context.Canceled)}
	text, err := json.Marshal(void)
	if err != nil {
		return answer{}, err
	}
	l.mu.Lock()
	found := l.entries[number]
	if found == nil {
		found = &entry{done: make(chan struct{}), text: text}
		close(found.done)
		l.entries[number] = found
	}
	l.mu.Unlock()
	select {
	case <-found.done:
	case <-ctx.Done():
		return answer{}, context.Cause(ctx)
	}
	if found.text == nil { // its connection broke first
		return void, nil
	}
	var how answer
	err = decode(found.text, &how)
	return how, err
}

// end lets those go on who wait for a call. One without an answer is forgotten.
func (l *ledger) end(number int64, mine *entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if mine.text == nil && l.entries[number] == mine {
		delete(l.entries, number)
	}
	close(mine.done)
}
