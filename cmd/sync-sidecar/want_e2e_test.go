package main

import (
	"bytes"
	"encoding/json"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"sync-sidecar/sidecar/bulker/bulkertest"
)

// tableCounts are the rows of each table of a Bulker server.
func tableCounts(t *testing.T, server *bulkertest.Server) map[string]int64 {
	t.Helper()
	counts := map[string]int64{}
	for _, table := range server.Tables() {
		n, err := server.Count(table)
		if err != nil {
			t.Fatal(err)
		}
		counts[table] = n
	}
	return counts
}

func wantCounts(t *testing.T, got, want map[string]int64) {
	t.Helper()
	if !maps.Equal(got, want) {
		t.Errorf("rows %v, want %v", got, want)
	}
}

// wantLines compares what a query gave.
func wantLines(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}

// mustContain fails the test when a text lacks one of some words.
func mustContain(t *testing.T, what, text string, words ...string) {
	t.Helper()
	for _, word := range words {
		if !strings.Contains(text, word) {
			t.Errorf("%s lacks %q: %s", what, word, text)
		}
	}
}

// compactJSON is a JSON text without white space.
func compactJSON(t *testing.T, text string) string {
	t.Helper()
	var compact bytes.Buffer
	if err := json.Compact(&compact, []byte(text)); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return compact.String()
}

// globNames are the files that match a pattern.
func globNames(t *testing.T, pattern string) []string {
	t.Helper()
	names, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
