// Package document reads the JSON files that a person gives: configuration, catalog and state. Only regular files are read, since a named pipe or a
// device may keep its reader waiting for ever (I4), and only UTF-8, with or without a byte order mark.
package document

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// MaxBytes bounds a document: what is longer is a mistake, such as a file of rows.
const MaxBytes = 256 << 20

// Read is the content of a regular file of at most MaxBytes, or of the one that a symbolic link leads to, as Kubernetes mounts them. The error is an
// *fs.PathError, which names the file; it never quotes the content.
func Read(path string) ([]byte, error) {
	// Opening a named pipe would already tell its writer that somebody reads.
	if info, err := os.Stat(path); err != nil {
		return nil, err
	} else if err := regular(info); err != nil {
		return nil, &fs.PathError{Op: "read", Path: path, Err: err}
	}
	// O_NONBLOCK, should it have become a pipe just now; for a regular file it means nothing.
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	content, err := readFile(file)
	if err != nil {
		return nil, &fs.PathError{Op: "read", Path: path, Err: err}
	}
	return content, nil
}

// readFile reads an open file, if it is a regular one.
func readFile(file *os.File) ([]byte, error) {
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if err := regular(info); err != nil {
		return nil, err
	}
	return ReadFrom(file)
}

var errTooLong = fmt.Errorf("it is longer than %d MiB", MaxBytes>>20)

// regular says why a file cannot be a document, by what is known without reading it.
func regular(info fs.FileInfo) error {
	switch mode := info.Mode(); {
	case mode.IsRegular() && info.Size() > MaxBytes:
		return errTooLong
	case mode.IsRegular():
		return nil
	case mode.IsDir():
		return errors.New("it is a directory: name a file in that folder")
	case mode&fs.ModeNamedPipe != 0:
		return errors.New("it is a pipe, which may never end: give a regular file")
	case mode&fs.ModeDevice != 0:
		return errors.New("it is a device, which may never end: give a regular file")
	default:
		return fmt.Errorf("it is not a regular file (%s)", mode.Type())
	}
}

// ReadFrom reads a document of at most MaxBytes to its end, as from stdin.
func ReadFrom(reader io.Reader) ([]byte, error) {
	content, err := io.ReadAll(io.LimitReader(reader, MaxBytes+1))
	if err != nil {
		return nil, err
	}
	if len(content) > MaxBytes {
		return nil, errTooLong
	}
	return UTF8(content)
}

// UTF8 is a document without the byte order mark that some editors put before it. JSON in another encoding is an error (RFC 8259, section 8.1).
func UTF8(content []byte) ([]byte, error) {
	beginning := content[:min(4, len(content))]
	if bytes.HasPrefix(beginning, []byte("\xff\xfe")) || bytes.HasPrefix(beginning, []byte("\xfe\xff")) || bytes.IndexByte(beginning, 0) >= 0 {
		return nil, errors.New("it is UTF-16 or UTF-32: save it as UTF-8")
	}
	return bytes.TrimPrefix(content, []byte("\xef\xbb\xbf")), nil
}
