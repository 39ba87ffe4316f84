package bulkertest

import (
	"bufio"
	"errors"
	"os"
	"path/filepath"
	"strings"
)

// spool holds the rows of a request until it is committed.
type spool struct {
	file *os.File
	out  *bufio.Writer
	kept bool
}

func (s *Store) spool() (*spool, error) {
	file, err := os.CreateTemp(filepath.Join(s.dir, "data"), "spool-")
	if err != nil {
		return nil, err
	}
	return &spool{file: file, out: bufio.NewWriterSize(file, 64<<10)}, nil
}

// add appends a row.
func (s *spool) add(line []byte) error {
	_, err := s.out.Write(line)
	return errors.Join(err, s.out.WriteByte('\n'))
}

// moveTo makes the spool the file of a commit.
func (s *spool) moveTo(path string) error {
	if err := s.out.Flush(); err != nil {
		return err
	}
	s.kept = true
	return os.Rename(s.file.Name(), path)
}

// discard closes the spool, and removes it unless it was moved.
func (s *spool) discard() {
	_ = s.file.Close() // flushed before, or not needed
	if !s.kept && strings.Contains(s.file.Name(), "spool-") {
		_ = os.Remove(s.file.Name()) // the next start removes what is left
	}
}
