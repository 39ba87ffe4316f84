package layout

import (
	"crypto/md5" //nolint:gosec // Bulker's names have MD5 in them; nothing is kept safe by it
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// maxName is where Postgres cuts names, in bytes.
	maxName = 63
	// unnamed is what Bulker calls the column of an empty key (bulkerlib/implementations/flattener.go).
	unnamed = "_unnamed"
	// Unmapped is the column for values that their own column cannot take: a JSON object, column → value.
	Unmapped = "_unmapped_data"
)

// TableName is the name of a table in Postgres: Bulker's, or, where Bulker cuts, one that ends with a hash of the whole.
func TableName(name string, o Options) string {
	return cut(clean(name, "table", o))
}

// SchemaName is the name of the schema of a namespace, made like that of a table.
func SchemaName(name string, o Options) string {
	return cut(clean(name, "table", o))
}

// clean is what Bulker makes of a name, before it cuts it (bulkerlib/implementations/sql/table_helper.go, adaptSqlIdentifier): each run of what is no
// letter, ASCII digit, underscore, space, $ or hyphen becomes one underscore, and a name of nothing else becomes a hash.
func clean(name, kind string, o Options) string {
	if o.ToSameCase {
		name = strings.ToLower(name)
	}
	if name == "" {
		return unnamed
	}
	if isPlain(name) {
		return name
	}
	var cleaned strings.Builder
	replacing := false
	for _, r := range name {
		allowed := unicode.IsLetter(r) || r >= '0' && r <= '9' || strings.ContainsRune("_ $-", r)
		switch {
		case allowed:
			cleaned.WriteRune(r)
		case !replacing:
			cleaned.WriteByte('_')
		}
		replacing = !allowed
	}
	if cleaned.String() == "_" && name != "_" {
		sum := md5.Sum([]byte(name)) //nolint:gosec // see the import
		return kind + "_" + hex.EncodeToString(sum[:])
	}
	return cleaned.String()
}

// isPlain says that a name has nothing but ASCII letters, digits and underscores.
func isPlain(name string) bool {
	for i := range len(name) {
		if c := name[i]; !isDigit(c) && c != '_' && (c|0x20 < 'a' || c|0x20 > 'z') {
			return false
		}
	}
	return true
}

// cut shortens a name to what Postgres keeps. The end then is a hash of the whole, so that names which differ only beyond the cut stay apart.
func cut(name string) string {
	if len(name) <= maxName {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	suffix := "_" + hex.EncodeToString(sum[:4])
	return cutBytes(name, maxName-len(suffix)) + suffix
}

// cutBytes shortens a text to so many bytes, or a few less where a character would be cut, as Postgres does.
func cutBytes(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	for limit > 0 && !utf8.RuneStart(text[limit]) {
		limit--
	}
	return text[:limit]
}

// systemColumns are names that every table of Postgres has already.
func isSystemColumn(name string) bool {
	switch name {
	case "ctid", "xmin", "xmax", "cmin", "cmax", "tableoid":
		return true
	}
	return false
}

// columnName is the column of a flattened key. A table that Bulker made has a long name cut without a hash: that column is used, if it is there and
// ours is not.
func columnName(key string, exists func(string) bool, o Options) string {
	name := clean(key, "column", o)
	if isSystemColumn(name) {
		return "_" + name
	}
	if len(name) <= maxName {
		return name
	}
	ours, theirs := cut(name), cutBytes(name, maxName)
	if !exists(ours) && exists(theirs) {
		return theirs
	}
	return ours
}

// join is the name of a member of a flattened object. Bulker puts a separator only after a name (bulkerlib/implementations/flattener.go).
func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "_" + name
}
