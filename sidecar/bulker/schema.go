package bulker

import (
	"encoding/json"
	"strings"
	"unicode/utf16"

	"sync-sidecar/sidecar/declaration"
)

// maxSchemaHeader keeps the headers well below the 1 MiB that Bulker's server takes (Go's default).
const maxSchemaHeader = 512 << 10

// schemaHeader is the X-Jitsu-Schema of a table: {"name":…,"fields":[{"name":…,"type":<number>}]} (bulkerlib/types/schema.go), in ASCII, as
// headers are. Empty when nothing is declared, or too much for a header: Bulker then takes the types of the values.
func schemaHeader(table string, fields []declaration.Field) string {
	if len(fields) == 0 {
		return ""
	}
	encoded, err := json.Marshal(struct {
		Name   string              `json:"name"`
		Fields []declaration.Field `json:"fields"`
	}{Name: table, Fields: fields})
	if err != nil || len(encoded) > maxSchemaHeader {
		return ""
	}
	return ascii(string(encoded))
}

// ascii writes what is beyond ASCII in a JSON text as \u escapes.
func ascii(text string) string {
	const hex = "0123456789abcdef"
	var b strings.Builder
	for _, r := range text {
		if r < 0x7f {
			b.WriteRune(r)
			continue
		}
		for _, unit := range utf16.Encode([]rune{r}) {
			b.WriteString(`\u`)
			for shift := 12; shift >= 0; shift -= 4 {
				b.WriteByte(hex[unit>>shift&0xf])
			}
		}
	}
	return b.String()
}
