package report

import (
	"fmt"
	"io"
	"strings"

	"sync-sidecar/runner/figure"
	"sync-sidecar/runner/page"
	"sync-sidecar/runner/schema"
	"sync-sidecar/runner/shape"
	"sync-sidecar/runner/smoke"
	"sync-sidecar/sidecar/airbyte"
)

// HTML writes it as a page; samples says that the first value of each field is to be on it.
func HTML(w io.Writer, r smoke.Result, samples bool) error {
	made := page.Page{Kind: "Smoke test", Title: r.Connector, Status: page.Status(r.Status), Line: counts(r), Made: r.StartedAt, Samples: samples,
		Word:   map[smoke.Status]string{smoke.Pass: "Passed", smoke.Warn: "Passed, with warnings", smoke.Fail: "Failed"}[r.Status],
		Footer: "Made by sync-sidecar smoke,"}
	for _, check := range r.Checks {
		made.Checks = append(made.Checks, page.Check{ID: check.ID, Claim: plain(check.Claim), Status: page.Status(check.Status), Evidence: check.Evidence,
			Why: check.Why, Do: check.Do})
	}
	memory := int64(0)
	for _, step := range r.Steps {
		one := page.Step{Name: step.Name, Command: step.Command, End: step.End, Seconds: step.Seconds, Rows: step.Records, States: step.States}
		if step.Memory > 0 {
			one.Memory = figure.Size(step.Memory)
		}
		memory = max(memory, step.Memory)
		made.Steps = append(made.Steps, one)
	}
	states := 0
	if r.Read != nil {
		made.Seconds, states = r.Read.Recording.Seconds, len(r.Read.States)
		for _, moment := range r.Read.Pace {
			made.Pace = append(made.Pace, page.Moment{Seconds: moment.Seconds, Rows: moment.Records})
		}
	}
	for _, stream := range r.Streams {
		made.Streams = append(made.Streams, streamOf(stream, r.Mask, samples))
	}
	made.Facts = []page.Fact{{Name: "Streams", Value: figure.Thousands(int64(len(r.Streams)))}, {Name: "Rows", Value: figure.Thousands(made.Rows())},
		{Name: "States", Value: figure.Thousands(int64(states))}, {Name: "Time", Value: figure.Clock(r.Seconds)}}
	if memory > 0 {
		made.Facts = append(made.Facts, page.Fact{Name: "Memory", Value: figure.Size(memory)})
	}
	return page.Write(w, made)
}

func counts(r smoke.Result) string {
	return fmt.Sprintf("%d checks passed, %d warned, %d failed, %d were skipped.", r.Count(smoke.Pass), r.Count(smoke.Warn), r.Count(smoke.Fail),
		r.Count(smoke.Skip))
}

// streamOf is a stream on the page.
func streamOf(s *smoke.Stream, mask func(string) string, samples bool) page.Stream {
	shown := page.Stream{Name: s.Descriptor.String(), Mode: modeOf(s.Configured), Rows: s.Rows, Bytes: s.Bytes, From: s.First, To: s.Last,
		Key: Paths(s.Configured.Key()), Fields: Fields(s.Schema(), s.Fields, s.Rows)}
	if s.Incremental() {
		shown.Cursor = strings.Join(s.Configured.Cursor(), ".")
	}
	for _, state := range s.States {
		shown.States = append(shown.States, state.Seconds)
	}
	shown.Status, shown.Word = page.Skip, ""
	if last := len(s.Statuses) - 1; last >= 0 {
		shown.Word = string(s.Statuses[last].Status)
		shown.Status = map[airbyte.StreamStatus]page.Status{airbyte.StreamComplete: page.Pass, airbyte.StreamIncomplete: page.Fail}[s.Statuses[last].Status]
	}
	if shown.Status == "" {
		shown.Status = page.Skip
	}
	for i := range shown.Fields {
		if shown.Fields[i].Sample = mask(shown.Fields[i].Sample); !samples {
			shown.Fields[i].Sample = ""
		}
	}
	return shown
}

func modeOf(stream airbyte.ConfiguredStream) string {
	if stream.SyncMode == airbyte.Incremental {
		return "incremental"
	}
	return "full refresh"
}

// Paths are the paths of a key for people.
func Paths(paths [][]string) string {
	all := make([]string, len(paths))
	for i, path := range paths {
		all[i] = strings.Join(path, ".")
	}
	return strings.Join(all, ", ")
}

// Fields puts what the schema says of the fields of a stream beside what was seen of them.
func Fields(declared schema.Object, seen shape.Fields, rows int64) []page.Field {
	var all []page.Field
	properties := declared.Properties()
	for _, name := range seen.Names(properties) {
		property, field := declared.Property(name), seen[name]
		one := page.Field{Name: name, Values: field.Values(), Nulls: field.Nulls(rows)}
		if field != nil {
			one.Sample = field.Sample
		}
		_, known := properties[name]
		switch {
		case known:
			one.Declared = property.Kind()
		case len(properties) > 0:
			one.Declared, one.Mark, one.Odd = "not in the schema", "undeclared", true
		}
		if known && field == nil && rows > 0 {
			one.Mark = "never seen"
		}
		all = append(all, one)
	}
	return all
}
