package chaos

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"syscall"
	"time"
)

// victim is a part of a sync that something happens to.
type victim string

const (
	theSidecar       victim = "sidecar killed"
	theSource        victim = "source killed"
	theConnector     victim = "source and shim killed"
	theBulker        victim = "Bulker killed"
	thePostgres      victim = "Postgres killed"
	thePod           victim = "SIGTERM to the pod"
	theSidecarByTERM victim = "SIGTERM to the sidecar"
)

// strike is what happens to a part, and when.
type strike struct {
	victim    victim
	at        time.Duration // since the start of the run, at the latest
	delivered float64       // or when the run has delivered this share of all rows; 0 is by time alone
	outage    time.Duration // until a server is started again
}

func (s strike) String() string {
	text := fmt.Sprintf("%s after %v", s.victim, s.at)
	if s.delivered > 0 {
		text = fmt.Sprintf("%s at %.0f%% or after %v", s.victim, 100*s.delivered, s.at)
	}
	if s.outage > 0 {
		text += fmt.Sprintf(" for %v", s.outage)
	}
	return text
}

// drawStrikes draws what happens in a run: most often one thing, sometimes two or nothing.
func drawStrikes(random *rand.Rand, places places) []strike {
	victims := []victim{theSidecar, theSidecar, theSidecar, theSource, theConnector, thePod, theSidecarByTERM}
	if places.bulker() {
		victims = append(victims, theBulker, theBulker)
	}
	if places.postgres() {
		victims = append(victims, thePostgres)
	}
	strikes := make([]strike, []int{0, 1, 1, 1, 1, 1, 2, 2}[random.IntN(8)])
	for i := range strikes {
		s := strike{victim: victims[random.IntN(len(victims))], at: time.Duration(random.IntN(1000)) * time.Millisecond}
		outage := time.Duration(1+random.IntN(600)) * time.Millisecond
		if random.IntN(2) == 0 {
			s.delivered = 0.95 * random.Float64()
			s.at = 3 * time.Second
		}
		if s.victim == theBulker || s.victim == thePostgres {
			s.outage = outage
		}
		strikes[i] = s
	}
	slices.SortFunc(strikes, func(a, b strike) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.delivered, b.delivered)) })
	return strikes
}

// suffer lets the strikes happen and says which did before the sidecar had ended.
func (l *life) suffer(strikes []strike) []victim {
	l.t.Helper()
	began, before := time.Now(), l.delivered()
	var struck []victim
	for _, strike := range strikes {
		if !l.await(strike, began, before) {
			return struck
		}
		struck = append(struck, strike.victim)
		l.strike(strike)
	}
	return struck
}

// await waits for the moment of a strike; false when the sidecar ends before.
func (l *life) await(strike strike, began time.Time, before float64) bool {
	due := time.After(time.Until(began.Add(strike.at)))
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for {
		select {
		case <-l.sidecar.done:
			return false
		case <-due:
			return true
		case <-look.C:
			if strike.delivered > 0 && l.delivered()-before >= strike.delivered*max(0.1, 1-before) {
				return true
			}
		}
	}
}

// strike does it. A server is started again when its outage is over.
func (l *life) strike(strike strike) {
	l.t.Helper()
	switch strike.victim {
	case theSidecar:
		l.sidecar.kill()
	case theSource:
		l.connector.killTree(l.t)
	case theConnector:
		l.connector.killTree(l.t)
		l.connector.kill()
	case theBulker:
		l.bulker.kill()
		<-time.After(strike.outage)
		l.bulker.restart()
	case thePostgres:
		l.postgres.Kill(l.t)
		<-time.After(strike.outage)
		l.postgres.Restart(l.t)
	case thePod:
		l.sidecar.signal(l.t, syscall.SIGTERM)
		l.connector.signal(l.t, syscall.SIGTERM)
	case theSidecarByTERM:
		l.sidecar.signal(l.t, syscall.SIGTERM)
	}
}
