package bulker

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
	"sync-sidecar/sidecar/declaration"
)

const (
	// maxTableName is the longest table name in bytes, maxColumnName that of a column: Postgres cuts identifiers there, and other warehouses allow more.
	maxTableName, maxColumnName = 63, 63
	// temporaryPrefix is how many characters of a table's name Bulker's temporary table begins with, before "_tmp" and 16 digits
	// (bulkerlib/implementations/sql/transactional_stream.go, replacetable_stream.go).
	temporaryPrefix = 43
	// unnamedColumn is what Bulker calls the column of an empty key (bulkerlib/implementations/flattener.go).
	unnamedColumn = "_unnamed"
)

// layout is a table in Bulker's words.
type layout struct {
	name    string
	key     []string // column names; none without a key
	columns []string // that are declared or in the key, spelled as the rows spell them
	schema  string   // X-Jitsu-Schema; empty when nothing is declared
}

// newLayout translates a table.
func newLayout(table sidecar.Table) layout {
	fields := slices.DeleteFunc(declaration.Fields(table.Schema, table.PrimaryKey), func(field declaration.Field) bool {
		return strings.HasPrefix(field.Name, "__sql_type") // a hint to Bulker and no column
	})
	l := layout{name: tableName(table), key: columnNames(table.PrimaryKey)}
	l.schema = schemaHeader(l.name, fields)
	for _, field := range fields {
		l.columns = append(l.columns, field.Name)
	}
	for _, name := range l.key {
		if !slices.Contains(l.columns, name) {
			l.columns = append(l.columns, name)
		}
	}
	return l
}

// tableName is the name of a table. Bulker's HTTP interface has no parameter for a namespace, so it becomes the first part of the name.
func tableName(table sidecar.Table) string {
	full := table.Name
	if table.Namespace != "" {
		full = table.Namespace + "_" + full
	}
	name := cutName(full, maxTableName)
	// Where Postgres cuts the name of the temporary table to that of the table itself, Bulker loads the rows, drops the table, and answers COMPLETED.
	if cutBytes(firstCharacters(name, temporaryPrefix)+"_tmp", maxTableName) == name {
		return cutName(full, temporaryPrefix)
	}
	return name
}

// Place implements sidecar.Destination. Two streams that would share a table are an error: they would overwrite each other. So are names that differ
// only in what Bulker replaces: a.b and a_b are one table there.
func (c *Client) Place(tables []sidecar.Table) ([]sidecar.Placement, error) {
	placements := make([]sidecar.Placement, len(tables))
	owners := make(map[string]airbyte.StreamDescriptor, len(tables))
	for i, table := range tables {
		layout := newLayout(table)
		if owner, taken := owners[identifier(layout.name)]; taken {
			return nil, fmt.Errorf("streams %q and %q would both be written to table %q: set NAMESPACE or TABLE_NAME_PREFIX to ${SOURCE_NAMESPACE}, "+
				"or give one of them another table_name in the catalog", owner, table.Stream, layout.name)
		}
		owners[identifier(layout.name)] = table.Stream
		placements[i] = sidecar.Placement{Name: layout.name, Err: lostColumn(layout.columns)}
		c.layouts.Store(table.Stream, layout)
	}
	return placements, nil
}

// reservedKeys are the keys that Bulker takes out of a row as instructions: a type for a column, which goes into its SQL as it stands
// (bulkerlib/implementations/sql/abstract.go, processor.go), and another table (bulkerapp/app/router.go).
func reservedKeys() []sidecar.ReservedKey {
	return []sidecar.ReservedKey{{Name: "__sql_type", Prefix: true}, {Name: "JITSU_TABLE_NAME", TopLevel: true}}
}

// layoutOf is the layout that Place made of a table.
func (c *Client) layoutOf(table sidecar.Table) layout {
	if known, ok := c.layouts.Load(table.Stream); ok {
		if known, ok := known.(layout); ok {
			return known
		}
	}
	return newLayout(table)
}

// columnNames are the columns that paths become when Bulker flattens a row: {"a":{"b":1}} is column a_b (bulkerlib/implementations/flattener.go). A
// column named twice counts once.
func columnNames(paths [][]string) []string {
	var names []string
	for _, path := range paths {
		for len(path) > 1 && path[0] == "" {
			path = path[1:] // the flattener puts a separator only after a name
		}
		name := strings.Join(path, "_")
		if name == "" {
			name = unnamedColumn
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// identifier is what Bulker makes of a name: whatever is no letter, digit, underscore, space, $ or hyphen becomes an underscore
// (bulkerlib/implementations/sql/table_helper.go, adaptSqlIdentifier). A name of nothing else is hashed there, so it stays apart.
func identifier(name string) string {
	var adapted strings.Builder
	replacing := false
	for _, r := range name {
		allowed := unicode.IsLetter(r) || r >= '0' && r <= '9' || strings.ContainsRune("_ $-", r)
		switch {
		case allowed:
			adapted.WriteRune(r)
		case !replacing:
			adapted.WriteByte('_')
		}
		replacing = !allowed
	}
	if adapted.String() == "_" {
		return name
	}
	return adapted.String()
}

// lostColumn finds a column whose values Bulker would lose, or with which it fails. Two names that become one there keep the value of the later one;
// a name beyond ASCII of more than 63 bytes works in the first load and fails in every other, since Postgres cuts it and Bulker does not know
// (measured).
func lostColumn(columns []string) error {
	owners := make(map[string]string, len(columns))
	for _, column := range columns {
		adapted := identifier(column)
		if len(adapted) > maxColumnName && strings.ContainsFunc(adapted, func(r rune) bool { return r > unicode.MaxASCII }) {
			return fmt.Errorf("column %q cannot be kept by Bulker: its name takes more than %d bytes: leave the stream out, or shorten the name in the source",
				column, maxColumnName)
		}
		adapted = cutBytes(adapted, maxColumnName)
		if owner, taken := owners[adapted]; taken {
			return fmt.Errorf("columns %q and %q are both %q at Bulker, and one of their values would be lost: leave the stream out, or rename one "+
				"in the source", owner, column, adapted)
		}
		owners[adapted] = column
	}
	return nil
}

// cutName shortens a name to so many bytes. The end then is a hash of the whole name, the same in every run, so that names which differ only beyond
// the cut stay apart.
func cutName(name string, limit int) string {
	if len(name) <= limit {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	suffix := "_" + hex.EncodeToString(sum[:4])
	return cutBytes(name, limit-len(suffix)) + suffix
}

// cutBytes shortens a text to so many bytes, or a few less where a character would be cut.
func cutBytes(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	for !utf8.RuneStart(text[limit]) {
		limit--
	}
	return text[:limit]
}

// firstCharacters is the beginning of a text.
func firstCharacters(text string, count int) string {
	for at := range text {
		if count == 0 {
			return text[:at]
		}
		count--
	}
	return text
}
