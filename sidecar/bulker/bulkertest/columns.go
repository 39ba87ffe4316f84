package bulkertest

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"regexp"
	"unicode/utf8"
)

// maxName is where Postgres cuts names, in bytes, and Bulker those that are not plain, in characters.
const maxName = 63

var (
	plainName   = regexp.MustCompile(`^[A-Za-z0-9_]+$`)
	unsupported = regexp.MustCompile(`[^\p{L}_\d $-]+`)
)

// columnName is the column that Bulker makes of a key, or of the keys on the way to a value joined by "_"
// (bulkerlib/implementations/sql/table_helper.go, adaptSqlIdentifier).
func columnName(path string) string {
	switch {
	case path == "":
		return "_unnamed"
	case plainName.MatchString(path):
		return path[:min(len(path), maxName)]
	}
	name := unsupported.ReplaceAllString(path, "_")
	if name == "_" {
		sum := md5.Sum([]byte(path))
		name = "column_" + hex.EncodeToString(sum[:])
	}
	return firstRunes(name, maxName)
}

// firstRunes cuts a text after so many characters.
func firstRunes(text string, n int) string {
	for i := range text {
		if n == 0 {
			return text[:i]
		}
		n--
	}
	return text
}

// postgresName is what Postgres makes of a name: the characters that fit whole into 63 bytes.
func postgresName(name string) string {
	if len(name) <= maxName {
		return name
	}
	end := maxName
	for !utf8.RuneStart(name[end]) {
		end--
	}
	return name[:end]
}

// droppedAtEnd says whether a load of the table ends with its loss. Bulker drops the temporary table last, whose name is the first 43 characters of
// the table's and a suffix. Where those take 63 bytes Postgres cuts the suffix off, and the temporary table is the table (measured).
func droppedAtEnd(table string) bool { return len(firstRunes(table, 43)) >= maxName }

// flattener lists the values of a row as Bulker does (bulkerlib/implementations/sql/abstract.go): objects are taken apart unless a column is declared
// for them, what is null is left out, so are the keys that are instructions to Bulker.
type flattener struct {
	declared map[string]bool
	path     []byte // the keys on the way, joined by "_"
}

// each calls do for the values of an object, which must be valid JSON; path and value are valid during the call.
func (f *flattener) each(object []byte, do func(path, value []byte)) error {
	at, above := skipSpace(object, 1), len(f.path)
	for object[at] != '}' {
		end := stringEnd(object, at)
		key, err := unquote(object[at:end])
		if err != nil {
			return err
		}
		at = skipSpace(object, skipSpace(object, end)+1) // over the colon
		end = valueEnd(object, at)
		value := bytes.TrimRight(object[at:end], " \t\r\n")
		if above > 0 {
			f.path = append(f.path, '_')
		}
		f.path = append(f.path, key...)
		switch {
		case bytes.HasPrefix(key, []byte("__sql_type")), string(f.path) == "JITSU_TABLE_NAME", string(value) == "null":
		case value[0] == '{' && !f.declared[string(f.path)]:
			if err := f.each(value, do); err != nil {
				return err
			}
		default:
			do(f.path, value)
		}
		f.path = f.path[:above]
		if at = end; object[at] == ',' {
			at = skipSpace(object, at+1)
		}
	}
	return nil
}

// unquote is the text of a JSON string.
func unquote(quoted []byte) ([]byte, error) {
	if bytes.IndexByte(quoted, '\\') < 0 {
		return quoted[1 : len(quoted)-1], nil
	}
	var text string
	err := json.Unmarshal(quoted, &text)
	return []byte(text), err
}

// skipSpace is the index of the next byte of JSON that is no white space.
func skipSpace(text []byte, at int) int {
	for text[at] == ' ' || text[at] == '\t' || text[at] == '\r' || text[at] == '\n' {
		at++
	}
	return at
}

// stringEnd is the index behind a JSON string.
func stringEnd(text []byte, at int) int {
	for at++; text[at] != '"'; at++ {
		if text[at] == '\\' {
			at++
		}
	}
	return at + 1
}

// valueEnd is the index of what follows a JSON value in an object: a comma, or the object's end.
func valueEnd(text []byte, at int) int {
	for depth := 0; ; at++ {
		switch c := text[at]; {
		case c == '"':
			at = stringEnd(text, at) - 1
		case c == '{' || c == '[':
			depth++
		case depth == 0 && (c == ',' || c == '}'):
			return at
		case c == '}' || c == ']':
			depth--
		}
	}
}
