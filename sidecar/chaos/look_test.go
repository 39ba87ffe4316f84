package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/bulker/bulkertest"
	"sync-sidecar/sidecar/local"
)

// lookTimeout bounds one look at a server that may be away.
const lookTimeout = 10 * time.Second

// rows are what a stream's table or file holds now, as its readers see it.
func (s *scenario) rows(stream string) ([]string, error) {
	if s.places.bulker() {
		text, err := s.bulker.get("rows?table=" + stream)
		return lines(text), err
	}
	if s.places.tables() {
		return s.tableRows(s.syncID(), stream)
	}
	content, err := os.ReadFile(filepath.Join(s.folder(), "rows", stream+".ndjson"))
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return lines(string(content)), err
}

// folder is the sync's part of the local folder.
func (s *scenario) folder() string {
	return local.Dir(s.path("data"), sidecar.Identity{SyncID: s.syncID()})
}

// delivered is about which share of all rows is at the destination; it may be above 1. It costs little and needs no server.
func (s *scenario) delivered() float64 {
	var done, all float64
	if s.places.tables() {
		return s.deliveredToTables()
	}
	if s.places.bulker() {
		content, err := os.ReadFile(filepath.Join(s.bulker.dir, "commits.ndjson"))
		if err != nil {
			return 0
		}
		for _, line := range lines(string(content)) {
			var commit bulkertest.Commit
			if json.Unmarshal([]byte(line), &commit) == nil {
				done += float64(commit.Rows)
			}
		}
		for _, rows := range s.expected {
			all += float64(len(rows))
		}
		return done / all
	}
	for stream, rows := range s.expected {
		if info, err := os.Stat(filepath.Join(s.folder(), "rows", stream+".ndjson")); err == nil {
			done += float64(info.Size())
		}
		for _, row := range rows {
			all += float64(len(row) + 1)
		}
	}
	return done / all
}

// get asks the Bulker test server for what it holds.
func (b *bulkerProcess) get(what string) (string, error) {
	client := &http.Client{Timeout: lookTimeout, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get("http://" + b.address + "/_test/" + what)
	if err != nil {
		return "", err
	}
	content, err := io.ReadAll(response.Body)
	if err = errors.Join(err, response.Body.Close()); err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s %s", what, response.Status, content)
	}
	return string(content), err
}

// commits is the server's record.
func (b *bulkerProcess) commits() ([]bulkertest.Commit, error) {
	text, err := b.get("commits")
	if err != nil {
		return nil, err
	}
	var commits []bulkertest.Commit
	return commits, json.Unmarshal([]byte(text), &commits)
}

// query gives the first column of rows in Postgres.
func (s *scenario) query(sql string, args ...any) ([]string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), lookTimeout)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.postgres.DSN())
	if err != nil {
		return nil, err
	}
	rows, err := conn.Query(ctx, sql, args...)
	if err != nil {
		return nil, errors.Join(err, conn.Close(ctx))
	}
	texts, err := pgx.CollectRows(rows, pgx.RowTo[string])
	return texts, errors.Join(err, conn.Close(ctx))
}

// states are what the journal holds now.
func (s *scenario) states() (map[string]json.RawMessage, error) {
	states := map[string]json.RawMessage{}
	if !s.places.postgres() {
		saved, err := local.ReadStates(s.folder())
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		for _, state := range saved {
			states[state.Key] = state.State
		}
		return states, err
	}
	saved, err := s.query(`select json_build_object('stream', stream, 'state', state)::text from `+s.journalTable("source_state")+` where sync_id = $1`,
		s.syncID())
	if s.places == tablesAlone && missing(err) {
		return states, nil // the first run has not made it
	}
	for _, line := range saved {
		var row struct {
			Stream string          `json:"stream"`
			State  json.RawMessage `json:"state"`
		}
		err = errors.Join(err, json.Unmarshal([]byte(line), &row))
		states[row.Stream] = row.State
	}
	return states, err
}

// taskStatus is the recorded status of a run; empty when none is recorded.
func (s *scenario) taskStatus(id string) (string, error) {
	if s.places.postgres() {
		found, err := s.query(`select status from `+s.journalTable("source_task")+` where task_id = $1`, id)
		if s.places == tablesAlone && missing(err) {
			return "", nil
		}
		return strings.Join(found, ","), err
	}
	content, err := os.ReadFile(filepath.Join(s.folder(), "task.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	var task struct {
		ID     string `json:"task_id"`
		Status string `json:"status"`
	}
	if err := errors.Join(err, json.Unmarshal(content, &task)); err != nil || task.ID != id {
		return "", err
	}
	return task.Status, nil
}
