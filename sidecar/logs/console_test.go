package logs

import (
	"bytes"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// slowTerminal takes a second for each write.
type slowTerminal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *slowTerminal) Write(lines []byte) (int, error) {
	time.Sleep(time.Second)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(lines)
}

func (s *slowTerminal) shown() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// TestFlushWaitsForWhatIsQueued, for so long and no longer: what somebody else writes next comes after it.
func TestFlushWaitsForWhatIsQueued(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		out := &slowTerminal{}
		console := NewConsole(out)
		console.Flush(time.Minute) // there is nothing to wait for
		begun := time.Now()
		for _, line := range []string{"one\n", "two\n"} {
			console.Write([]byte(line))
			synctest.Wait() // the first one is being written, and the second one waits
		}
		console.Flush(time.Minute)
		if out.shown() != "one\ntwo\n" || time.Since(begun) != 2*time.Second {
			t.Errorf("%q after %s", out.shown(), time.Since(begun))
		}
		console.Write([]byte("three\n"))
		begun = time.Now()
		console.Flush(time.Millisecond)
		if time.Since(begun) != time.Millisecond {
			t.Errorf("it waited %s", time.Since(begun))
		}
		if !console.Close(time.Minute) || out.shown() != "one\ntwo\nthree\n" {
			t.Errorf("%q", out.shown())
		}
	})
}
