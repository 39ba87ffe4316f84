package main

import (
	"fmt"
	"testing"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/postgres/postgrestest"
)

// Rows of a real source in tables, incrementally and anew. What the values become TestValuesOfRealSources shows: source-faker's are others each time.
func TestRunOfARealSourceIntoTables(t *testing.T) {
	t.Parallel()
	for name, prepare := range faker(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			line, connector := prepare(t)
			if name == "image" {
				connector = append(connector, "--network", "host") // where the test's server is
			}
			database := postgrestest.Database(t)
			line.env = append(line.env, "DESTINATION_URL="+database)
			wantTables(t, database, readReport(t, line, connector))
			for _, stream := range readReport(t, line, connector).Streams {
				if stream.Rows != 0 {
					t.Errorf("%s: %d rows came again although nothing changed", stream.Stream, stream.Rows)
				}
			}
			wantTables(t, database, readReport(t, line, append([]string{"--full-refresh"}, connector...)))
		})
	}
}

// wantTables checks that each table holds the rows that were reported, each once.
func wantTables(t *testing.T, database string, report sidecar.Report) {
	t.Helper()
	if len(report.Streams) != 3 {
		t.Errorf("%d streams", len(report.Streams))
	}
	for _, stream := range report.Streams {
		got := postgrestest.Query(t, database, `select count(*), count(distinct id) from `+quoted(stream.Stream))
		if want := fmt.Sprintf("%d|%d", stream.Rows, stream.Rows); stream.Rows == 0 || got[0] != want {
			t.Errorf("%s: rows and keys are %s, want %s", stream.Stream, got[0], want)
		}
	}
}
