// Package canonical gives JSON texts that mean the same one spelling: servers reorder members, drop white space and duplicate members, and write 1e2
// as 100 (Postgres' jsonb). The spelling is for comparing and hashing, and is no JSON of the same meaning: numbers become texts.
package canonical

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// JSON is the one spelling of all texts that mean the same; no text is `null`.
func JSON(text json.RawMessage) ([]byte, error) {
	if len(bytes.TrimSpace(text)) == 0 {
		return []byte("null"), nil
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, fmt.Errorf("not JSON: %w", err)
	}
	spelling, err := json.Marshal(plainValues(value)) // sorts members
	if err != nil {
		return nil, fmt.Errorf("cannot be encoded: %w", err)
	}
	return spelling, nil
}

// plainValues replaces every number by its Number; the first letter tells numbers from strings.
func plainValues(value any) any {
	switch value := value.(type) {
	case json.Number:
		return "n" + Number(value.String())
	case string:
		return "s" + value
	case []any:
		for i := range value {
			value[i] = plainValues(value[i])
		}
	case map[string]any:
		for name := range value {
			value[name] = plainValues(value[name])
		}
	}
	return value
}

// Number writes a JSON number as sign, digits and exponent, so that 1, 1.0, 10e-1 and 0.1E+1 are the same. It never rounds.
func Number(literal string) string {
	mantissa, power, _ := strings.Cut(strings.ToLower(literal), "e")
	exponent := 0
	if power != "" {
		var err error
		if exponent, err = strconv.Atoi(power); err != nil || exponent > 1<<30 || exponent < -1<<30 {
			return literal // an exponent beyond any number: only its own spelling is equal to it
		}
	}
	digits, negative := strings.CutPrefix(mantissa, "-")
	whole, fraction, _ := strings.Cut(digits, ".")
	exponent -= len(fraction)
	digits = strings.TrimLeft(whole+fraction, "0")
	trimmed := strings.TrimRight(digits, "0")
	exponent += len(digits) - len(trimmed)
	if trimmed == "" {
		return "0"
	}
	sign := ""
	if negative {
		sign = "-"
	}
	return sign + trimmed + "e" + strconv.Itoa(exponent)
}
