package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"unicode"
	"unicode/utf8"
)

// readEnvFile reads a file of NAME=VALUE lines as `docker run --env-file` does (docker/cli, pkg/kvfile): the value is what follows the first =, to
// the end of the line, with its quotes, spaces and everything else; a line that begins with # is a comment; NAME alone takes the variable of this
// process, or is left out where it is not set. The result is in the order of the file, where a later line wins. An error names the file and the
// line, and nothing of what is in it: a secret of several lines is what often makes a file unreadable.
func readEnvFile(path string, environ []string) (env []string, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	lines := bufio.NewScanner(file)
	number := 0
	for lines.Scan() {
		line := lines.Bytes()
		if number++; number == 1 {
			line = bytes.TrimPrefix(line, []byte("\uFEFF")) // of a Windows editor
		}
		pair, err := envLine(line, environ)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, number, err)
		}
		if pair != "" {
			env = append(env, pair)
		}
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		return nil, fmt.Errorf("%s:%d: a line is longer than %d bytes", path, number+1, bufio.MaxScanTokenSize)
	}
	if lines.Err() != nil {
		return nil, fmt.Errorf("%s: %w", path, lines.Err())
	}
	return env, nil
}

// envLine is the variable of one line, as NAME=VALUE; empty when there is none.
func envLine(line []byte, environ []string) (string, error) {
	if !utf8.Valid(line) {
		return "", errors.New("not UTF-8: save the file in that encoding")
	}
	text := strings.TrimLeftFunc(string(line), unicode.IsSpace)
	if text == "" || text[0] == '#' {
		return "", nil
	}
	name, _, valued := strings.Cut(text, "=")
	switch {
	case name == "":
		return "", errors.New("there is no name before the =: write NAME=VALUE")
	case strings.ContainsAny(name, " \t"):
		return "", errors.New(`the name has a space in it: write NAME=VALUE, without "export", without spaces around the =, and each value on one line`)
	case valued:
		return text, nil
	}
	for i := len(environ) - 1; i >= 0; i-- {
		if strings.HasPrefix(environ[i], name+"=") {
			return environ[i], nil
		}
	}
	return "", nil
}
