package runner

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"sync-sidecar/sidecar"
)

// A connector that reads one stream after the other is asked again for those that it did not come to, each time on their own.
func TestReadInRounds(t *testing.T) {
	t.Parallel()
	stream := func(name string, status sidecar.Status, rows int64) sidecar.StreamReport {
		return sidecar.StreamReport{Stream: name, Status: status, Rows: rows}
	}
	report := func(status sidecar.Status, streams ...sidecar.StreamReport) sidecar.Report {
		return sidecar.Report{Status: status, Streams: streams, StatesSaved: 1, Seconds: 2, Warnings: []string{"w"}, Defects: map[string]int64{"d": 1}}
	}
	const success, pending, failed = sidecar.StatusSuccess, sidecar.StatusPending, sidecar.StatusFailed
	for _, test := range []struct {
		name   string
		limit  string
		rounds []Outcome
		ran    string // the catalogs of the rounds
		want   string // the streams in the end
		code   int
	}{
		{"without a limit", "", []Outcome{{Report: report(success, stream("a", success, 5))}}, "t1: a hr.b c", "a SUCCESS 5", 0},
		{"all were reached", "2", []Outcome{{Report: report(success, stream("a", success, 2), stream("hr.b", success, 2), stream("c", success, 1))}},
			"t1: a hr.b c", "a SUCCESS 2, hr.b SUCCESS 2, c SUCCESS 1", 0},
		{"one after the other", "2", []Outcome{
			{Report: report(success, stream("a", success, 2), stream("hr.b", pending, 0), stream("c", pending, 0))},
			{Report: report(success, stream("hr.b", success, 2), stream("c", pending, 0))},
			{Report: report(success, stream("c", success, 1))},
		}, "t1: a hr.b c, t1-2: hr.b c, t1-3: c", "a SUCCESS 2, hr.b SUCCESS 2, c SUCCESS 1", 0},
		{"a later one fails", "2", []Outcome{
			{Report: report(success, stream("a", success, 2), stream("hr.b", pending, 0), stream("c", pending, 0))},
			{Report: report(failed, stream("hr.b", failed, 0), stream("c", failed, 0)), Sidecar: Exit{Code: 1}},
		}, "t1: a hr.b c, t1-2: hr.b c", "a SUCCESS 2, hr.b FAILED 0, c FAILED 0", sidecar.ExitPartial},
		{"it comes to none of them", "2", []Outcome{
			{Report: report(success, stream("a", success, 2), stream("hr.b", pending, 0), stream("c", pending, 0))},
			{Report: report(success, stream("hr.b", pending, 0), stream("c", pending, 0))},
		}, "t1: a hr.b c, t1-2: hr.b c", "a SUCCESS 2, hr.b PENDING 0, c PENDING 0", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			task := readTask()
			task.LocalDir = t.TempDir()
			task.Catalog = []byte(`{"streams":[{"stream":{"name":"a"}},{"stream":{"name":"b","namespace":"hr"}},{"stream":{"name":"c"}}]}`)
			task.Settings["STREAM_LIMIT"] = test.limit
			var ran []string
			outcome, err := Run(t.Context(), fakeEngine(func(task Task) (Outcome, error) {
				ran = append(ran, task.TaskID+": "+names(t, task.Catalog))
				want := []string{"sidecar"}
				if test.limit != "" {
					want = append(want, "--stream-limit-round", strconv.Itoa(len(ran)))
				}
				if args := NewPlan(task, Layout{}).Sidecar.Args; !slices.Equal(args, want) {
					t.Errorf("the sidecar's arguments are %q, want %q", args, want)
				}
				return test.rounds[len(ran)-1], nil
			}), task, Selection{}, Watch{})
			if err != nil || outcome.ExitCode() != test.code {
				t.Errorf("exit code %d, %v", outcome.ExitCode(), err)
			}
			if got := strings.Join(ran, ", "); got != test.ran {
				t.Errorf("ran %s, want %s", got, test.ran)
			}
			var streams []string
			for _, s := range outcome.Report.Streams {
				streams = append(streams, strings.Join([]string{s.Stream, string(s.Status), string(rune('0' + s.Rows))}, " "))
			}
			if got := strings.Join(streams, ", "); got != test.want {
				t.Errorf("%s, want %s", got, test.want)
			}
			if n := int64(len(test.rounds)); outcome.Report.StatesSaved != n || outcome.Report.Defects["d"] != n || len(outcome.Report.Warnings) != int(n) {
				t.Errorf("%+v", outcome.Report)
			}
			if names(t, outcome.Catalog) != "a hr.b c" {
				t.Errorf("the catalog is %s", outcome.Catalog)
			}
		})
	}
}
