package chaos

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"sync-sidecar/sidecar/bulker/bulkertest"
)

// faultRow is one way in which a server, or the road to it, fails.
type faultRow struct {
	faults []bulkertest.Fault
	args   []string       // of the server
	env    []string       // of the sidecar
	config map[string]any // of the source
	loose  bool           // no primary key
	while  func(t *testing.T, l *life)
	code   int    // 0: every row must be there as often as promised
	said   string // in what the sidecar printed
	lacks  string // a stream whose table must not show
}

// passing faults cost time and nothing else.
// again is what a sidecar says of a load that it sends once more.
const again = "load failed, next attempt in"

var passing = map[string]faultRow{
	"500 of the warehouse": {said: again,
		faults: always(3, bulkertest.Fault{Moment: bulkertest.AtEnd, Status: 500, Error: "error# 1: stream complete error"})},
	"500 of a panic": {said: again, faults: always(3, bulkertest.Fault{Status: 500})},
	"502 of a proxy": {said: again,
		faults: always(3, bulkertest.Fault{Moment: bulkertest.AtRow, Row: 5, Status: 502, Body: "<html>Bad Gateway</html>"})},
	"429":                {said: again, faults: always(3, bulkertest.Fault{Status: 429, Error: "too many requests"})},
	"cut after headers":  {said: again, faults: always(3, bulkertest.Fault{})},
	"cut among rows":     {said: again, faults: always(3, bulkertest.Fault{Moment: bulkertest.AtRow, Row: 7})},
	"cut, not committed": {said: again, faults: always(3, bulkertest.Fault{Moment: bulkertest.AtEnd})},
	"cut, committed":     {said: again, faults: always(3, bulkertest.Fault{Moment: bulkertest.AtEnd, Commit: true})},
	// Here rows are there twice: what the promise says of tables without a key.
	"cut, committed, no key":     {said: again, faults: always(3, bulkertest.Fault{Moment: bulkertest.AtEnd, Commit: true}), loose: true},
	"cut, not committed, no key": {said: again, faults: always(3, bulkertest.Fault{Moment: bulkertest.AtEnd}), loose: true},
	"answers late":               {faults: always(2, bulkertest.Fault{Moment: bulkertest.AtEnd, Status: 200, Delay: 2 * time.Second})},
	"answers too late": {said: again, env: []string{"LOAD_TIMEOUT=1s"},
		faults: always(2, bulkertest.Fault{Moment: bulkertest.AtEnd, Commit: true, Status: 200, Delay: 3 * time.Second})},
	"early 400 that may pass": {said: again,
		faults: always(3, bulkertest.Fault{Moment: bulkertest.AtRow, Row: 3, Status: 400, Error: "scanner error: unexpected EOF"})},
	// The full refresh arrives from the spool: at first because the server cuts it, then because nobody tries before it is complete.
	"read timeout": {said: again, args: []string{"-read-timeout", "2s"}, config: map[string]any{"rate": 150}},
	"read timeout, known": {said: "delivered from the spool", args: []string{"-read-timeout", "2s"}, env: []string{"LIVE_TIMEOUT=1s"},
		config: map[string]any{"rate": 150}},
	"restart in the middle":   {said: again, config: map[string]any{"rate": 200}, while: restartInTheMiddle},
	"slow server":             {args: []string{"-rows-per-second", "400", "-merge-time", "300ms"}},
	"repeated states":         {config: map[string]any{"faults": map[string]any{"repeat_states": true, "late_states": true}}},
	"repeated GLOBAL states":  {config: map[string]any{"state_type": "GLOBAL", "faults": map[string]any{"repeat_states": true, "late_states": true}}},
	"repeated LEGACY states":  {config: map[string]any{"state_type": "LEGACY", "faults": map[string]any{"repeat_states": true}}},
	"states that are strange": {config: map[string]any{"faults": map[string]any{"odd_states": true}}},
}

// lasting faults end a stream, or all.
var lasting = map[string]faultRow{
	"early 400 for one stream": {code: 4, said: "unmarhsal error: that row", lacks: fullRefresh,
		faults: []bulkertest.Fault{{Table: fullRefresh, Times: -1, Moment: bulkertest.AtRow, Row: 3, Status: 400, Error: "unmarhsal error: that row"}}},
	"early 400 for all": {code: 1, said: "unmarhsal error: that row", lacks: "orders",
		faults: []bulkertest.Fault{{Times: -1, Moment: bulkertest.AtRow, Row: 3, Status: 400, Error: "unmarhsal error: that row"}}},
	"a wrong token": {code: 3, said: "check BULKER_AUTH_TOKEN", lacks: "orders", args: []string{"-token", "another"}},
	"gone for good": {code: 4, said: "gave up after 1s", env: []string{"RETRY_FOR=1s"}, config: map[string]any{"rate": 200}, while: goneForGood},
	"a spool that is full": {code: 4, said: "raise SPOOL_LIMIT", lacks: fullRefresh, env: []string{"SPOOL_MEMORY=0", "SPOOL_LIMIT=200000"},
		faults: []bulkertest.Fault{{Table: fullRefresh, Times: -1}}, config: map[string]any{"row_bytes": 1000}},
}

// always is a fault that strikes each stream's loads so many times.
func always(times int, fault bulkertest.Fault) []bulkertest.Fault {
	var faults []bulkertest.Fault
	for _, table := range []string{"customers", "orders", fullRefresh} {
		fault.Table, fault.Times, fault.Skip = table, times, 0
		faults = append(faults, fault)
	}
	return faults
}

// restartInTheMiddle kills the server while a full refresh is live, and starts it again.
func restartInTheMiddle(t *testing.T, l *life) {
	t.Helper()
	until(t, "a third is delivered", func() bool { return l.delivered() > 0.3 })
	l.bulker.kill()
	l.bulker.restart()
}

// goneForGood kills the server for the rest of the run.
func goneForGood(t *testing.T, l *life) {
	t.Helper()
	until(t, "a third is delivered", func() bool { return l.delivered() > 0.3 })
	l.bulker.kill()
	l.sidecar.wait(t, time.Minute)
	l.bulker.restart()
}

// TestFaultServer delivers through every fault: rows right, verdict right. What does not pass leaves no part of a full refresh and no state ahead of
// its rows, and the next run makes up for it.
func TestFaultServer(t *testing.T) {
	t.Parallel()
	for _, rows := range []map[string]faultRow{passing, lasting} {
		for name, row := range rows {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				playFault(t, row)
			})
		}
	}
}

func playFault(t *testing.T, row faultRow) {
	t.Helper()
	config := map[string]any{"counts": map[string]int{"customers": 200, "orders": 300, fullRefresh: 200}, "interleave": true, "records_per_state": 7}
	for setting, value := range row.config {
		config[setting] = value
	}
	for _, fault := range row.faults {
		text, err := json.Marshal(fault)
		if err != nil {
			t.Fatal(err)
		}
		row.args = append(row.args, "-fault", string(text))
	}
	more := slices.Concat([]string{"BATCH_ROWS=40", "STATE_AGE=10ms", "BATCH_AGE=500ms", "RETRY_FOR=30s"}, row.env)
	s := newScenario(t, setup{places: bulkerAlone, keyed: !row.loose, config: config, more: more}, servers{bulker: startBulker(t, row.args...)})
	s.expect()
	l := s.begin("task")
	if row.while != nil {
		row.while(t, l)
	}
	o := l.end()
	status := map[int]string{0: "SUCCESS", 1: "FAILED", 3: "FAILED", 4: "PARTIAL"}[row.code]
	if o.code != row.code || o.status != status || !strings.Contains(o.printed, row.said) {
		t.Fatalf("exit code %d, recorded %q, want %d, %s; it said:\n%s", o.code, o.status, row.code, status, o.printed)
	}
	s.check(s.covered(s.streams()))
	s.check(s.wholeOnly())
	if row.lacks != "" {
		if rows, err := s.rows(row.lacks); err != nil || len(rows) > 0 {
			t.Errorf("%d rows of %s show: %v", len(rows), row.lacks, err)
		}
	}
	if row.code != 0 { // the next run has no such bad luck
		s.bulker.kill()
		s.bulker.args = nil
		s.bulker.restart()
		o = s.begin("next", "SPOOL_LIMIT=0").end()
		if o.code != 0 {
			t.Fatalf("the next run exited with %d: %s", o.code, o.printed)
		}
	}
	s.check(s.complete())
}

// TestOldTableStays has a full refresh fail after one that did not: readers see the rows of the first.
func TestOldTableStays(t *testing.T) {
	t.Parallel()
	// Slow enough that it cannot be over before what spoils it strikes, however busy the machine is.
	config := map[string]any{"count": 300, "interleave": true, "rate": 100}
	s := newScenario(t, setup{places: bulkerAlone, config: config}, servers{bulker: startBulker(t)})
	s.expect()
	s.judged(t, s.begin("first"), "SUCCESS")
	for name, spoil := range map[string]func(l *life){
		"source killed":  func(l *life) { l.connector.killTree(t) },
		"sidecar killed": func(l *life) { l.sidecar.kill() },
		"cancelled":      func(l *life) { l.strike(strike{victim: thePod}) },
	} {
		l := s.begin("spoilt")
		until(t, "it reads", func() bool { return strings.Contains(l.sidecar.output.String(), fullRefresh+" as STARTED") })
		spoil(l)
		if o := l.end(); o.code == 0 {
			t.Fatalf("%s: exit code 0", name)
		}
		rows, err := s.rows(fullRefresh)
		if err != nil || len(rows) != len(s.expected[fullRefresh]) {
			t.Errorf("%s: %d rows of %s, %v", name, len(rows), fullRefresh, err)
		}
	}
}
