package layout

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"sync-sidecar/sidecar/declaration"
)

// Column is a column of a table.
type Column struct {
	Name string
	// Type is spelled as format_type(atttypid, atttypmod) prints it. Of a domain it is that of its base type.
	Type    string
	NotNull bool
	// Default is an SQL expression; empty when there is none.
	Default string
	// Generated says that the server computes the values: the column is never written.
	Generated bool
	// Labels are those of an enum in their order, where they are known.
	Labels []string
	// Category is the type's pg_type.typcategory, where it is known: what it says of types that this package does not know itself.
	Category string
	// Key says that the column is a part of the primary key of the rows.
	Key bool
}

// class is how values get into columns of a type.
type class uint8

const (
	classOther class = iota // a type whose values only the server can check
	classBool
	classInt
	classFloat
	classNumeric
	classText
	classStamp // timestamp, with or without time zone
	classDate
	classTime
	classJSON
	classUUID
	classNetwork // inet, cidr
	classBytes
	classEnum
	classArray
)

// columnType is a type, taken apart.
type columnType struct {
	class  class
	bits   uint8 // of integers and floats
	zone   bool  // of times: with time zone
	binary bool  // of JSON: jsonb
	padded bool  // of texts: char(n)
	strict bool  // of networks: cidr
	digits int16 // of numeric(p,s): p; 0 is no limit
	scale  int16 // of numeric(p,s): s
	micros int32 // of times: the least fraction of a second that they tell apart, in microseconds
	length int32 // of varchar(n) and char(n), in characters; 0 is no limit
	bytes  int32 // of name and "char": how many bytes the server keeps; 0 is no limit
}

// typePattern takes "numeric(10,2)" and "timestamp(3) with time zone" apart.
var typePattern = regexp.MustCompile(`^([a-z ]+?)(?:\((\d+)(?:,(-?\d+))?\))?( with time zone| without time zone)?$`)

// parseType reads a type as format_type prints it.
func parseType(text string) columnType {
	if strings.HasSuffix(text, "[]") {
		return columnType{class: classArray}
	}
	if text == `"char"` {
		return columnType{bytes: 1}
	}
	parts := typePattern.FindStringSubmatch(text)
	if parts == nil {
		return columnType{}
	}
	first, second := number(parts[2]), number(parts[3])
	switch parts[1] {
	case "boolean":
		return columnType{class: classBool}
	case "smallint":
		return columnType{class: classInt, bits: 16}
	case "integer":
		return columnType{class: classInt, bits: 32}
	case "bigint":
		return columnType{class: classInt, bits: 64}
	case "real":
		return columnType{class: classFloat, bits: 32}
	case "double precision":
		return columnType{class: classFloat, bits: 64}
	case "numeric":
		return columnType{class: classNumeric, digits: int16(first), scale: int16(second)}
	case "money": // 64 bits of hundredths
		return columnType{class: classNumeric, digits: 19, scale: 2}
	case "name":
		return columnType{bytes: maxName}
	case "text":
		return columnType{class: classText}
	case "character varying":
		return columnType{class: classText, length: int32(first)}
	case "character", "bpchar": // the latter is char without a length
		return columnType{class: classText, length: int32(first), padded: true}
	case "timestamp":
		return columnType{class: classStamp, zone: parts[4] == " with time zone", micros: leastFraction(parts[2])}
	case "date":
		return columnType{class: classDate, micros: 1}
	case "time":
		return columnType{class: classTime, zone: parts[4] == " with time zone", micros: leastFraction(parts[2])}
	case "jsonb":
		return columnType{class: classJSON, binary: true}
	case "json":
		return columnType{class: classJSON}
	case "uuid":
		return columnType{class: classUUID}
	case "inet", "cidr":
		return columnType{class: classNetwork, strict: parts[1] == "cidr"}
	case "bytea":
		return columnType{class: classBytes}
	}
	return columnType{}
}

// leastFraction is what times with so many digits behind the second tell apart, in microseconds; six, where the type names no number.
func leastFraction(digits string) int32 {
	least := int32(1)
	for n := number(digits); digits != "" && n < 6; n++ {
		least *= 10
	}
	return least
}

// number is the number in a text of digits; 0 when there is none.
func number(digits string) int {
	n, err := strconv.Atoi(digits)
	if err != nil {
		return 0
	}
	return n
}

// zero is what stands in a column that must not be null for a value that it cannot take, as COPY reads it; false when the type has nothing neutral.
func (t columnType) zero() (string, bool) {
	switch t.class {
	case classBool:
		return "f", true
	case classInt, classFloat, classNumeric:
		return "0", true
	case classText, classBytes:
		return "", true
	case classStamp, classDate:
		return "-infinity", true
	case classTime:
		return "00:00:00", true
	case classJSON:
		return "null", true
	case classUUID:
		return "00000000-0000-0000-0000-000000000000", true
	case classArray:
		return "{}", true
	case classNetwork:
		return "0.0.0.0", true
	case classOther, classEnum:
	}
	return "", false
}

// otherZero is zero for a type of which only its name and its category are known, of those that every Postgres has and of common extensions
// (https://www.postgresql.org/docs/current/catalog-pg-type.html).
func otherZero(typeName, category string) (string, bool) {
	name := typeName[strings.LastIndexByte(typeName, '.')+1:]
	switch {
	case strings.HasSuffix(name, "multirange"):
		return "{}", true
	case category == "S", strings.HasPrefix(name, "bit varying"), slices.Contains([]string{"hstore", "ltree", "tsvector", "tsquery", "xml"}, name):
		return "", true
	case category == "N", category == "T": // such as oid, and intervals
		return "0", true
	case category == "R":
		return "empty", true
	}
	return "", false
}

// declaredType is the type of a new column of a declared field (bulkerlib/implementations/sql/postgres.go).
func declaredType(declared declaration.Type) string {
	switch declared {
	case declaration.Boolean:
		return "boolean"
	case declaration.Integer:
		return "bigint"
	case declaration.Number:
		return "double precision"
	case declaration.Timestamp:
		return "timestamp with time zone"
	case declaration.JSON:
		return "jsonb"
	case declaration.String:
	}
	return "text"
}

// keyDefault is the default of a new key column, as Bulker sets it (bulkerlib/implementations/sql/postgres.go); it has none for JSON.
func keyDefault(typeName string) string {
	switch t := parseType(typeName); t.class {
	case classText:
		return "''"
	case classBool:
		return "false"
	case classStamp:
		return "CURRENT_TIMESTAMP"
	case classJSON:
		return "'null'"
	default:
		return "0"
	}
}
