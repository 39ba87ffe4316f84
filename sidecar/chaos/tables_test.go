package chaos

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"sync-sidecar/sidecar/canonical"
	"sync-sidecar/sidecar/postgres/postgrestest"
)

// spelled is a row as it can be compared: in one spelling, without nulls, with times in UTC; its id stays readable, since looks ask for it.
func spelled(t testing.TB, row json.RawMessage) string {
	t.Helper()
	text, err := spelling(row)
	if err != nil {
		t.Fatalf("row %s: %v", row, err)
	}
	return text
}

func spelling(row json.RawMessage) (string, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(row, &members); err != nil {
		return "", err
	}
	for name, value := range members {
		var text string
		switch {
		case string(value) == "null":
			delete(members, name)
		case json.Unmarshal(value, &text) == nil:
			for _, layout := range []string{time.RFC3339Nano, time.DateOnly} {
				if moment, err := time.Parse(layout, text); err == nil {
					members[name] = fmt.Appendf(nil, "%q", moment.UTC().Format(time.RFC3339Nano))
				}
			}
		}
	}
	plain, err := json.Marshal(members)
	if err != nil {
		return "", err
	}
	same, err := canonical.JSON(plain)
	return fmt.Sprintf(`{"id":%s,"row":%s}`, members["id"], same), err
}

// journalTable is a table of the journal.
func (s *scenario) journalTable(name string) string {
	if s.places == tablesAlone {
		return "sync_sidecar." + name
	}
	return name
}

// missing says that there is no such table yet.
func missing(err error) bool {
	refusal := (*pgconn.PgError)(nil)
	return errors.As(err, &refusal) && (refusal.Code == "42P01" || refusal.Code == "3F000")
}

// tableRows are the rows of a table, each spelled; none while there is no table.
func (s *scenario) tableRows(schema, table string) ([]string, error) {
	rows, err := s.rowsOf(schema, table)
	if missing(err) {
		err = nil
	}
	return rows, err
}

// rowsOf is tableRows for a table that must be there.
func (s *scenario) rowsOf(schema, table string) ([]string, error) {
	found, err := s.query("select row_to_json(t)::text from " + pgx.Identifier{schema, table}.Sanitize() + " t")
	for i := range found {
		if err == nil {
			found[i], err = spelling(json.RawMessage(found[i]))
		}
	}
	return found, err
}

// durableRows are the rows of a stream that are committed: those of a stream that starts over are seen when it is whole.
func (s *scenario) durableRows(stream string) ([]string, error) {
	if !s.places.tables() {
		return s.rows(stream)
	}
	generation, err := s.query(`select generation_schema || '.' || generation from sync_sidecar.destination_stream where sync_id = $1 and name = $2
		and generation <> ''`, s.syncID(), stream)
	if missing(err) {
		return nil, nil
	}
	if err != nil || len(generation) == 0 {
		return errOr(err, func() ([]string, error) { return s.rows(stream) })
	}
	schema, table, _ := strings.Cut(generation[0], ".")
	rows, err := s.rowsOf(schema, table)
	if missing(err) { // its rows were moved meanwhile
		return s.durableRows(stream)
	}
	return rows, err
}

func errOr(err error, rows func() ([]string, error)) ([]string, error) {
	if err != nil {
		return nil, err
	}
	return rows()
}

// exact proves, of tables of Postgres without a key, that at this very moment each holds the rows that the committed state covers, and no other.
func (s *scenario) exact(streams []string) error {
	if !s.places.tables() || s.keyed {
		return nil
	}
	for _, stream := range streams {
		if err := s.exactTable(stream); err != nil {
			return err
		}
	}
	return nil
}

// exactTable looks at state and rows in one snapshot.
func (s *scenario) exactTable(stream string) (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), lookTimeout)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.postgres.DSN())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	look, err := conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return err
	}
	found, err := look.Query(ctx, `select key, state from sync_sidecar.destination_state
		where sync_id = $1 and key in ($2, '_GLOBAL_STATE', '_LEGACY_STATE')`, s.syncID(), stream)
	if err != nil {
		return ignoreMissing(err)
	}
	covered := 0
	var key, state string
	_, err = pgx.ForEachRow(found, []any{&key, &state}, func() error {
		cursors, err := cursorsOf(map[string]json.RawMessage{key: json.RawMessage(state)})
		covered = max(covered, cursors[stream])
		return err
	})
	if err != nil {
		return ignoreMissing(err)
	}
	var rows, generations int
	if err := look.QueryRow(ctx, `select count(*) from sync_sidecar.destination_stream where sync_id = $1 and name = $2 and generation <> ''`,
		s.syncID(), stream).Scan(&generations); err != nil || generations > 0 {
		return ignoreMissing(err)
	}
	if err := look.QueryRow(ctx, "select count(*) from "+pgx.Identifier{s.syncID(), stream}.Sanitize()).Scan(&rows); err != nil {
		return ignoreMissing(err)
	}
	if rows != covered {
		return wrongf("stream %s: the table holds %d rows, the committed state covers %d", stream, rows, covered)
	}
	return nil
}

func ignoreMissing(err error) error {
	if missing(err) {
		return nil
	}
	return err
}

// deliveredToTables is about which share of the rows of the first three streams is there.
func (s *scenario) deliveredToTables() float64 {
	var done, all float64
	for _, stream := range []string{"customers", "orders", fullRefresh} {
		all += float64(len(s.expected[stream]))
		counted, err := s.query("select count(*)::text from " + pgx.Identifier{s.syncID(), stream}.Sanitize())
		if err == nil && len(counted) == 1 {
			var rows float64
			if json.NewDecoder(bytes.NewBufferString(counted[0])).Decode(&rows) == nil {
				done += rows
			}
		}
	}
	return done / all
}

// TestOlderStateFile has a connector start from an older state than its rows reach, as in a pod whose state file was written before a crash: with a
// key nothing is there twice, without one the run fails, and the next is right.
func TestOlderStateFile(t *testing.T) {
	t.Parallel()
	for _, keyed := range []bool{true, false} {
		t.Run(fmt.Sprint("keyed ", keyed), func(t *testing.T) {
			t.Parallel()
			set := setup{places: tablesAlone, keyed: keyed, config: map[string]any{"count": 300, "rate": 300, "records_per_state": 10, "interleave": true},
				more: []string{"BATCH_ROWS=20", "STATE_AGE=10ms", "BATCH_AGE=200ms"}}
			s := newScenario(t, set, servers{postgres: postgrestest.Start(t)})
			s.expect()
			first := s.begin("first")
			var old map[string]json.RawMessage
			until(t, "a state is committed", func() bool {
				states, err := s.states()
				old = states
				return err == nil && states["orders"] != nil && states["customers"] != nil
			})
			began, err := cursorsOf(old)
			s.check(err)
			until(t, "more is committed", func() bool {
				cursors, err := s.cursors()
				return err == nil && cursors["orders"] > began["orders"] && cursors["customers"] > began["customers"]
			})
			first.sidecar.kill()
			first.end(theSidecar)
			s.check(s.exact(s.streams()))

			s.write("state.json", stateFile(old))
			second := s.beginAfter("second", []string{"init"}) // which leaves the state file as it is
			if keyed {
				s.judged(t, second, "SUCCESS")
				return
			}
			o := second.end()
			for _, part := range []string{"run the sync again", `"orders"`} {
				if o.code != 1 || o.status != "FAILED" || !strings.Contains(o.printed, part) {
					t.Fatalf("exit code %d, recorded %q, want 1, FAILED and %q; it said:\n%s", o.code, o.status, part, o.printed)
				}
			}
			s.check(s.exact(s.streams()))
			s.judged(t, s.begin("third"), "SUCCESS")
			s.check(s.exact(s.streams()))
		})
	}
}

// stateFile is what a connector is given to go on from STREAM states.
func stateFile(states map[string]json.RawMessage) []any {
	var file []any
	for name, state := range states {
		file = append(file, map[string]any{"type": "STREAM", "stream": map[string]any{"stream_descriptor": map[string]string{"name": name},
			"stream_state": state}})
	}
	return file
}

// TestJournalIsLost: the next run goes on from what is committed with the rows, and says so; FULL_SYNC starts over.
func TestJournalIsLost(t *testing.T) {
	t.Parallel()
	set := setup{places: tablesAndPostgres, config: map[string]any{"count": 300, "rate": 300, "records_per_state": 10, "interleave": true},
		more: []string{"BATCH_ROWS=20", "STATE_AGE=10ms", "BATCH_AGE=200ms"}}
	s := newScenario(t, set, servers{postgres: postgrestest.Start(t)})
	s.expect()
	first := s.begin("first")
	until(t, "a state is saved", func() bool { cursors, err := s.cursors(); return err == nil && cursors["orders"] > 0 })
	first.connector.killTree(t)
	first.end(theSource)
	reached, err := s.cursors()
	s.check(err)
	if _, err := s.query("delete from source_state returning stream"); err != nil {
		t.Fatal(err)
	}
	s.judged(t, s.begin("second"), "SUCCESS")
	s.check(s.exact(s.streams()))
	state, err := os.ReadFile(s.path("state.json"))
	if err != nil || !strings.Contains(string(state), "updated_at") {
		t.Fatalf("the state file is %q (%v), although %v were committed", state, err, reached)
	}
	s.judged(t, s.begin("third", "FULL_SYNC=true"), "SUCCESS")
}
