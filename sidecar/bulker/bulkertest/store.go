package bulkertest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"
)

// The modes of /bulk that work over HTTP.
const (
	ModeStream       = "stream"
	ModeBatch        = "batch"
	ModeReplaceTable = "replace_table"
)

// Load is what a request to /bulk asks for.
type Load struct {
	Destination string   `json:"destination"`
	Table       string   `json:"table"`
	Mode        string   `json:"mode"`
	PrimaryKey  []string `json:"pk,omitempty"`
	TaskID      string   `json:"task_id,omitempty"`
	JobID       string   `json:"job_id,omitempty"`
	Schema      string   `json:"schema,omitempty"` // the header, as it came
}

// Commit is a load that was committed.
type Commit struct {
	Sequence int64 `json:"sequence"` // from 1, in the order of commits
	Load
	Rows  int64     `json:"rows"` // as sent, before any merge
	Bytes int64     `json:"bytes"`
	At    time.Time `json:"at"`
	Kept  bool      `json:"kept"` // its rows can be read; false for those that were discarded, or dropped
	// Columns are those that the table did not have before.
	Columns []string `json:"columns,omitempty"`
	// Dropped says that Bulker said COMPLETED, and dropped the table.
	Dropped bool `json:"dropped,omitempty"`
}

// Store keeps what was committed, in a folder: the rows of each commit as a file, and the log of commits, which is the truth. A file becomes part of
// its table when its commit stands in the log, which is synced before the load is acknowledged. A killed process loses nothing that it has
// acknowledged. Memory holds the log, never rows.
type Store struct {
	dir  string
	temp bool // dir is ours to remove

	mu sync.Mutex // commits one load after the other; only its own files wait for that
	// +checklocks:mu
	log *os.File
	// +checklocks:mu
	posts *os.File
	// +checklocks:mu
	commits []Commit
}

// Open reads what a server left in a folder; no server may use it meanwhile. Close it with Close.
func Open(dir string) (*Store, error) { return openStore(dir) }

// Close is only for stores of Open; a Server closes its own.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.close()
}

func openStore(dir string) (*Store, error) {
	s := &Store{dir: dir}
	s.mu.Lock()
	defer s.mu.Unlock()
	if dir == "" {
		made, err := os.MkdirTemp("", "bulkertest-")
		if err != nil {
			return nil, fmt.Errorf("bulker test server: %w", err)
		}
		s.dir, s.temp = made, true
	}
	if err := s.load(); err != nil {
		return nil, errors.Join(fmt.Errorf("bulker test server: folder %s: %w", s.dir, err), s.close())
	}
	return s, nil
}

// load reads the log and removes what belongs to no commit.
//
// +checklocks:s.mu
func (s *Store) load() error {
	if err := os.MkdirAll(filepath.Join(s.dir, "data"), 0o750); err != nil {
		return err
	}
	var err error
	if s.log, err = os.OpenFile(filepath.Join(s.dir, "commits.ndjson"), os.O_CREATE|os.O_RDWR, 0o600); err != nil {
		return err
	}
	if s.posts, err = os.OpenFile(filepath.Join(s.dir, "posts.ndjson"), os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600); err != nil {
		return err
	}
	var commits []Commit
	end, err := readLines(s.log, func(line []byte) error {
		var c Commit
		if err := json.Unmarshal(line, &c); err != nil {
			return err
		}
		commits = append(commits, c)
		return nil
	})
	if err != nil {
		return err
	}
	s.commits = commits
	// A line that was being written when the process died is no commit.
	if err := s.log.Truncate(end); err != nil {
		return err
	}
	if _, err := s.log.Seek(end, 0); err != nil {
		return err
	}
	return s.sweep()
}

// sweep removes files that no table refers to.
//
// +checklocks:s.mu
func (s *Store) sweep() error {
	live := map[string]bool{}
	for _, table := range s.tables() {
		for _, c := range s.live(table) {
			live[s.file(c.Sequence)] = true
		}
	}
	files, err := filepath.Glob(filepath.Join(s.dir, "data", "*"))
	if err != nil {
		return err
	}
	for _, file := range files {
		if !live[file] {
			if err := os.Remove(file); err != nil {
				return err
			}
		}
	}
	return nil
}

// readLines calls each for every whole line, and returns where they end.
func readLines(file *os.File, each func(line []byte) error) (end int64, err error) {
	if _, err := file.Seek(0, 0); err != nil {
		return 0, err
	}
	reader := bufio.NewReaderSize(file, 64<<10)
	for {
		line, err := reader.ReadBytes('\n')
		if err != nil {
			return end, nil //nolint:nilerr // the end, or half a line
		}
		if err := each(bytes.TrimSuffix(line, []byte("\n"))); err != nil {
			return end, fmt.Errorf("%s at byte %d: %w", file.Name(), end, err)
		}
		end += int64(len(line))
	}
}

// commit takes the rows of a spool; nil when they were discarded.
func (s *Store) commit(c Commit, rows *spool) (Commit, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.Sequence, c.At, c.Kept = int64(len(s.commits))+1, time.Now().UTC(), rows != nil && !c.Dropped
	if c.Kept {
		if err := rows.moveTo(s.file(c.Sequence)); err != nil {
			return Commit{}, err
		}
	}
	replaced := s.live(c.Table)
	line, err := json.Marshal(c)
	if err != nil {
		return Commit{}, err
	}
	if _, err := s.log.Write(append(line, '\n')); err != nil {
		return Commit{}, err
	}
	if rows != nil { // who discards measures the sender, not this disk
		if err := s.log.Sync(); err != nil {
			return Commit{}, err
		}
	}
	s.commits = append(s.commits, c)
	if c.Mode == ModeReplaceTable {
		for _, old := range replaced {
			if err := os.Remove(s.file(old.Sequence)); err != nil {
				return c, err
			}
		}
	}
	return c, nil
}

// Commits is the log of all commits, also of those that were replaced since.
func (s *Store) Commits() []Commit {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.commits)
}

// Tables are the names of the tables that were ever committed to, sorted.
func (s *Store) Tables() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tables()
}

// +checklocks:s.mu
func (s *Store) tables() []string {
	var names []string
	for _, c := range s.commits {
		if !c.Dropped {
			names = append(names, c.Table)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Columns are the columns of a table, under the names that Postgres gave them; none when there is no such table. A replaced table keeps its columns.
func (s *Store) Columns(table string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var columns []string
	for _, c := range s.commits {
		if c.Table == table && !c.Dropped {
			columns = append(columns, c.Columns...)
		}
	}
	return columns
}

// live are the commits whose rows the table holds.
//
// +checklocks:s.mu
func (s *Store) live(table string) []Commit {
	var live []Commit
	for _, c := range s.commits {
		if c.Table != table {
			continue
		}
		if c.Mode == ModeReplaceTable {
			live = live[:0]
		}
		if c.Kept {
			live = append(live, c)
		}
	}
	return live
}

func (s *Store) file(sequence int64) string {
	return filepath.Join(s.dir, "data", strconv.FormatInt(sequence, 10)+".ndjson")
}

// +checklocks:s.mu
func (s *Store) close() error {
	var errs []error
	for _, file := range []*os.File{s.log, s.posts} {
		if file != nil {
			errs = append(errs, file.Close())
		}
	}
	if s.temp {
		errs = append(errs, os.RemoveAll(s.dir))
	}
	return errors.Join(errs...)
}
