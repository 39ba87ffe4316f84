package mapping

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
)

const (
	// sourceNamespace stands for the namespace of the stream in NAMESPACE and TABLE_NAME_PREFIX.
	sourceNamespace = "${SOURCE_NAMESPACE}"
	// legacyNamespace, alone in NAMESPACE, names tables "<prefix><namespace>.<name>", as Jitsu did before it knew namespaces.
	legacyNamespace = "${LEGACY}"
)

// TableOptions say what the tables of a sync are called, as the options of Jitsu's sidecar do (sync-sidecar/read.go, openStream).
type TableOptions struct {
	// Namespace is where the tables are (NAMESPACE): empty, a name that may contain ${SOURCE_NAMESPACE}, or ${LEGACY} alone.
	Namespace string
	// Prefix goes before every name (TABLE_NAME_PREFIX); it may contain ${SOURCE_NAMESPACE}.
	Prefix string
	// ToSameCase makes the names of tables and namespaces lower-case (TO_SAME_CASE). Columns keep the case that the rows have: only Bulker could change
	// it, and its HTTP interface has no option for that (its router passes on nothing but pk and schema). A key or a declared column in another case
	// than the rows have would be a column that no row ever fills.
	ToSameCase bool
}

// validate refuses unknown placeholders.
func (o TableOptions) validate() error {
	return errors.Join(knownPlaceholders("NAMESPACE", o.Namespace, sourceNamespace, legacyNamespace),
		knownPlaceholders("TABLE_NAME_PREFIX", o.Prefix, sourceNamespace))
}

// newTable is the table of a stream, named and placed as upstream's sidecar does (jitsucom/bulker, sync-sidecar/read.go, openStream): a table_name in
// the catalog, which Jitsu's console writes, is the whole name, and the namespace is that of any other table.
func newTable(stream airbyte.ConfiguredStream, o TableOptions) (sidecar.Table, error) {
	named := stream.Stream
	table := sidecar.Table{Stream: named.Descriptor(), Name: named.TableName, PrimaryKey: stream.Key(), Cursor: stream.Cursor(),
		Schema: named.JSONSchema}
	legacy := o.Namespace == legacyNamespace
	if !legacy {
		table.Namespace = strings.TrimSpace(strings.ReplaceAll(o.Namespace, sourceNamespace, named.Namespace))
	}
	if table.Name == "" {
		name := named.Name
		switch {
		case named.TableNameTemplate != "":
			name = named.TableNameTemplate
		case legacy:
			name = table.Stream.String()
		}
		table.Name = strings.ReplaceAll(o.Prefix, sourceNamespace, named.Namespace) + name
	}
	if o.ToSameCase {
		table.Name, table.Namespace = strings.ToLower(table.Name), strings.ToLower(table.Namespace)
	}
	if table.Name == "" && table.Namespace == "" {
		return table, fmt.Errorf("a stream without a name has no table: set TABLE_NAME_PREFIX, or a table_name in the catalog")
	}
	return table, nil
}

// knownPlaceholders refuses every ${…} but the known ones: it would end up in table names as it stands.
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
