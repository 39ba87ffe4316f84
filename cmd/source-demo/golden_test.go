package main

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestGolden compares whole transcripts. Run with -update to write them anew, then read the difference.
func TestGolden(t *testing.T) {
	config := func(text string) []string { return []string{"--config", file(t, text)} }
	read := func(text, mode, namespace string, names ...string) []string {
		return append([]string{"read", "--catalog", catalogFile(t, mode, "updated_at", namespace, names...)}, config(text)...)
	}
	for name, test := range map[string]struct {
		args []string
		code int
	}{
		"spec":          {args: []string{"spec"}},
		"check":         {args: append([]string{"check"}, config(`{}`)...)},
		"check_refused": {args: append([]string{"check"}, config(`{"api_key":"invalid"}`)...)},
		"check_invalid": {args: append([]string{"check"}, config(`{"count":-1,"state_type":"ROW"}`)...)},
		"check_debug":   {args: append([]string{"check", "--debug"}, config(`{}`)...)},
		"check_control": {args: append([]string{"check"}, config(`{"api_key":"k-rotated-7","emit_control":true,"count":5}`)...)},
		"discover":      {args: append([]string{"discover"}, config(`{}`)...)},
		"discover_five": {args: append([]string{"discover"}, config(`{"streams":5,"namespace":"shop","resumable":true}`)...)},
		"read_stream":   {args: read(`{"count":10,"records_per_state":2}`, incremental, "")},
		"read_global": {args: read(`{"count":10,"records_per_state":4,"state_type":"GLOBAL","interleave":true,"namespace":"shop"}`,
			incremental, "shop")},
		"read_legacy":    {args: read(`{"count":10,"records_per_state":3,"state_type":"LEGACY","interleave":true}`, incremental, "")},
		"read_full":      {args: read(`{"count":10}`, fullRefresh, "")},
		"read_resumable": {args: read(`{"count":10,"resumable":true,"records_per_state":2}`, fullRefresh, "", "orders")},
		"read_updates":   {args: read(`{"counts":{"orders":6},"update_every":3}`, incremental, "", "orders")},
		"read_extras":    {args: read(`{"count":10,"emit_estimates":true,"emit_analytics":true,"emit_control":true}`, incremental, "", "products")},
		"read_quiet":     {args: read(`{"count":10,"no_statuses":true,"no_states":true}`, incremental, "", "products")},
		"read_missing":   {args: read(`{"count":10}`, incremental, "", "products", "refunds")},
		"read_empty":     {args: read(`{"count":0}`, incremental, "", "orders")},
		"read_failing":   {args: read(`{"count":10,"faults":{"error_trace":{"stream":"customers","after_row":1}}}`, incremental, ""), code: 1},
		"read_concurrent": {args: read(`{"count":10,"interleave":true,"faults":{"error_trace":{"stream":"customers","after_row":1}}}`,
			incremental, ""), code: 1},
		"read_padded":  {args: read(`{"counts":{"orders":1},"row_bytes":600}`, incremental, "", "orders")},
		"read_refused": {args: read(`{"api_key":"invalid"}`, incremental, ""), code: 1},
	} {
		t.Run(name, func(t *testing.T) {
			got := runInside(t, test.args...)
			if got.code != test.code || got.stderr != "" {
				t.Errorf("exit code %d, stderr %q; want %d and none", got.code, got.stderr, test.code)
			}
			compareGolden(t, filepath.Join("testdata", name+".ndjson"), withoutStacks(got.stdout))
		})
	}
}

var update = flag.Bool("update", false, "write the golden files anew")

func compareGolden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	gotLines, wantLines := strings.SplitAfter(got, "\n"), strings.SplitAfter(string(want), "\n")
	for n, line := range gotLines[:min(len(gotLines), len(wantLines))] {
		if line != wantLines[n] {
			t.Fatalf("%s: line %d is\n%swant\n%s", path, n+1, line, wantLines[n])
		}
	}
	if len(gotLines) != len(wantLines) {
		t.Fatalf("%s: %d lines, want %d:\n%s", path, len(gotLines), len(wantLines), got)
	}
}

// withoutStacks takes out what depends on the machine.
func withoutStacks(stdout string) string {
	return regexp.MustCompile(`"stack_trace":"goroutine [^"]*"`).ReplaceAllString(stdout, `"stack_trace":"…"`)
}
