package sidecar

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"sync-sidecar/sidecar/airbyte"
)

const (
	// maxTableName is the longest table name in bytes: Postgres cuts identifiers there, and others allow more.
	maxTableName = 63
	// sourceNamespace stands for the namespace of the stream in NAMESPACE and TABLE_NAME_PREFIX.
	sourceNamespace = "${SOURCE_NAMESPACE}"
	// legacyNamespace as the whole of NAMESPACE names tables "<prefix><namespace>.<name>", as Jitsu did before it knew namespaces.
	legacyNamespace = "${LEGACY}"
)

// TableOptions say how the tables of a sync are named. They mean what they mean to Jitsu's sidecar (sync-sidecar/read.go, openStream), except that
// Bulker's HTTP interface has no parameter for a namespace: it becomes the first part of the name, "<namespace>_<table>".
type TableOptions struct {
	// Namespace is where the tables live (NAMESPACE): empty, a name, one with ${SOURCE_NAMESPACE} in it, or ${LEGACY}.
	Namespace string
	// Prefix goes before every name (TABLE_NAME_PREFIX); it may contain ${SOURCE_NAMESPACE}.
	Prefix string
	// ToSameCase makes table names lower-case (TO_SAME_CASE). Columns keep the case of the rows' keys: only Bulker could change those, its
	// HTTP interface has no such option (its router passes nothing but pk and schema on), and a key or a declared column in another
	// case than the rows' would be a column that no row ever fills.
	ToSameCase bool
}

// NewTable says what the rows of a stream become: the table's name, its primary key, its declared columns. A table_name in the catalog, which
// Jitsu's console lets a user choose, is taken as it is.
func NewTable(stream airbyte.ConfiguredStream, o TableOptions) (Table, error) {
	descriptor := stream.Stream.Descriptor()
	name, err := tableName(stream.Stream, o)
	if err != nil {
		return Table{}, err
	}
	key := primaryKey(stream)
	return Table{
		Stream:     descriptor,
		Name:       name,
		PrimaryKey: columnNames(key),
		Fields:     declaredFields(stream.Stream.JSONSchema, key),
	}, nil
}

// NewTables makes the table of every stream of a catalog. Two streams that would share a table are an error: they would overwrite each other. So
// are names that differ only in what Bulker replaces: a.b and a_b are one table there.
func NewTables(catalog airbyte.ConfiguredCatalog, o TableOptions) (map[airbyte.StreamDescriptor]Table, error) {
	tables := make(map[airbyte.StreamDescriptor]Table, len(catalog.Streams))
	owners := make(map[string]airbyte.StreamDescriptor, len(catalog.Streams))
	keys := make(stateKeys, len(catalog.Streams))
	for _, stream := range catalog.Streams {
		table, err := NewTable(stream, o)
		if err != nil {
			return nil, err
		}
		if _, twice := tables[table.Stream]; twice {
			return nil, fmt.Errorf("stream %q is in the catalog twice: remove one of them", table.Stream)
		}
		if owner, taken := owners[identifier(table.Name)]; taken {
			return nil, fmt.Errorf("streams %q and %q would both be written to table %q: set NAMESPACE or TABLE_NAME_PREFIX to %s, "+
				"or give one of them another table_name in the catalog", owner, table.Stream, table.Name, sourceNamespace)
		}
		if err := keys.add(table.Stream); err != nil {
			return nil, err
		}
		tables[table.Stream], owners[identifier(table.Name)] = table, table.Stream
	}
	return tables, nil
}

// stateKeys are the keys under which the states of streams are saved (SavedState.Key), and whose they are.
type stateKeys map[string]airbyte.StreamDescriptor

// add refuses a stream whose state would take the place of another's: the next run would go on from the wrong one, and skip rows (I1).
func (k stateKeys) add(stream airbyte.StreamDescriptor) error {
	key := stream.String()
	other, taken := k[key]
	switch {
	case key == GlobalStateKey || key == LegacyStateKey:
		return fmt.Errorf("stream %q has the name under which states of all streams are saved: leave it out", key)
	case taken:
		return fmt.Errorf("the states of stream %q of namespace %q and of stream %q of namespace %q would both be saved as %q: leave one of them out",
			other.Name, other.Namespace, stream.Name, stream.Namespace, key)
	}
	k[key] = stream
	return nil
}

// tableName is the name of a stream's table.
func tableName(stream airbyte.Stream, o TableOptions) (string, error) {
	if err := knownPlaceholders("NAMESPACE", o.Namespace, sourceNamespace, legacyNamespace); err != nil {
		return "", err
	}
	if err := knownPlaceholders("TABLE_NAME_PREFIX", o.Prefix, sourceNamespace); err != nil {
		return "", err
	}
	name := stream.TableName
	if name == "" {
		name = strings.ReplaceAll(o.Prefix, sourceNamespace, stream.Namespace)
		if o.Namespace == legacyNamespace {
			name += stream.Descriptor().String()
		} else {
			name = foldNamespace(o.Namespace, stream.Namespace) + name + stream.Name
		}
	}
	if o.ToSameCase {
		name = strings.ToLower(name)
	}
	if name == "" {
		return "", fmt.Errorf("a stream without a name has no table: set TABLE_NAME_PREFIX, or a table_name in the catalog")
	}
	return cutName(name), nil
}

// foldNamespace is what a namespace puts before the name of a table.
func foldNamespace(namespace, ofStream string) string {
	namespace = strings.TrimSpace(strings.ReplaceAll(namespace, sourceNamespace, ofStream))
	if namespace == "" {
		return ""
	}
	return namespace + "_"
}

// knownPlaceholders refuses ${…} that would end up in table names as it stands.
func knownPlaceholders(variable, value string, known ...string) error {
	for _, found := range regexp.MustCompile(`\$\{[^}]*\}`).FindAllString(value, -1) {
		if found == legacyNamespace && value != legacyNamespace {
			return fmt.Errorf("%s=%q: %s must stand alone", variable, value, legacyNamespace)
		}
		if !slices.Contains(known, found) {
			return fmt.Errorf("%s=%q: %s is not known here, only %s is", variable, value, found, strings.Join(known, " and "))
		}
	}
	return nil
}

// identifier is what Bulker makes of a name: whatever is no letter, digit, underscore, space, $ or hyphen becomes an underscore
// (bulkerlib/implementations/sql/table_helper.go, adaptSqlIdentifier). A name of nothing else is hashed there, so it stays apart.
func identifier(name string) string {
	adapted := regexp.MustCompile(`[^\p{L}_\d $-]+`).ReplaceAllString(name, "_")
	if adapted == "_" {
		return name
	}
	return adapted
}

// cutName shortens a name to maxTableName bytes. The end then is a hash of the whole name, the same in every run, so that names which differ
// only beyond the cut stay apart.
func cutName(name string) string {
	if len(name) <= maxTableName {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	suffix := "_" + hex.EncodeToString(sum[:4])
	end := maxTableName - len(suffix)
	for !utf8.RuneStart(name[end]) {
		end--
	}
	return name[:end] + suffix
}
