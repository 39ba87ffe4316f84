package bulkertest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"os"
	"strings"
)

// Rows are the rows of a table as JSON texts, in the order in which they were sent; of a key the last one.
func (s *Store) Rows(table string) ([]json.RawMessage, error) {
	var rows []json.RawMessage
	err := s.Each(table, func(row json.RawMessage) error {
		rows = append(rows, bytes.Clone(row))
		return nil
	})
	return rows, err
}

// Count is the number of rows of a table after merges.
func (s *Store) Count(table string) (int64, error) {
	s.mu.Lock()
	live := s.live(table)
	var sum int64
	for _, c := range live {
		sum += c.Rows
	}
	s.mu.Unlock()
	if len(keyOf(live)) == 0 {
		return sum, nil
	}
	sum = 0
	err := s.Each(table, func(json.RawMessage) error { sum++; return nil })
	return sum, err
}

// Each calls do for every row of a table, as Rows orders them; the row is valid during the call. It keeps no rows in memory, of a table with a key
// a hash of every key. It fails when the table is replaced meanwhile.
func (s *Store) Each(table string, do func(row json.RawMessage) error) error {
	s.mu.Lock()
	live := s.live(table)
	s.mu.Unlock()
	key := keyOf(live)
	if len(key) == 0 {
		return s.scan(live, func(_ int64, row []byte) error { return do(row) })
	}
	seed := maphash.MakeSeed()
	last := map[uint64]int64{} // key → number of its last row
	err := s.scan(live, func(n int64, row []byte) error {
		value, err := keyValue(row, key)
		last[maphash.String(seed, value)] = n
		return err
	})
	if err != nil {
		return err
	}
	return s.scan(live, func(n int64, row []byte) error {
		value, err := keyValue(row, key)
		if err != nil || last[maphash.String(seed, value)] != n {
			return err
		}
		return do(row)
	})
}

// keyOf is the key of a table: that of its last load with one.
func keyOf(live []Commit) []string {
	var key []string
	for _, c := range live {
		if len(c.PrimaryKey) > 0 {
			key = c.PrimaryKey
		}
	}
	return key
}

// scan calls do for every row of commits, numbered from 0.
func (s *Store) scan(commits []Commit, do func(n int64, row []byte) error) error {
	var n int64
	for _, c := range commits {
		file, err := os.Open(s.file(c.Sequence))
		if err != nil {
			return err
		}
		err = scanFile(file, &n, do)
		if err := errors.Join(err, file.Close()); err != nil {
			return fmt.Errorf("rows of commit %d: %w", c.Sequence, err)
		}
	}
	return nil
}

func scanFile(file io.Reader, n *int64, do func(n int64, row []byte) error) error {
	scanner := bufio.NewScanner(file)
	scanner.Buffer(make([]byte, 64<<10), maxLine+1)
	for scanner.Scan() {
		if err := do(*n, scanner.Bytes()); err != nil {
			return err
		}
		*n++
	}
	return scanner.Err()
}

// keyValue is what Bulker tells rows apart by: the values of the key's columns as text, joined (abstract_transactional.go, getPKValue). A
// missing value and null are the same.
func keyValue(row []byte, key []string) (string, error) {
	var object map[string]json.RawMessage
	if err := json.Unmarshal(row, &object); err != nil {
		return "", err
	}
	values := make([]string, len(key))
	for i, column := range key {
		values[i] = columnValue(object, column)
	}
	return strings.Join(values, "_###_"), nil
}

// columnValue finds the value that flattening puts into a column: of {"a":{"b":1}} a_b is 1.
func columnValue(object map[string]json.RawMessage, column string) string {
	if raw, ok := object[column]; ok {
		var text string
		if err := json.Unmarshal(raw, &text); err == nil && string(raw) != "null" {
			return text
		}
		return string(raw)
	}
	for name, raw := range object {
		rest, found := strings.CutPrefix(column, name+"_")
		var nested map[string]json.RawMessage
		if !found || json.Unmarshal(raw, &nested) != nil {
			continue
		}
		if value := columnValue(nested, rest); value != "null" {
			return value
		}
	}
	return "null"
}
