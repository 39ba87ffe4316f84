package local

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// digest identifies a state whatever a journal did to its spelling: Postgres' jsonb reorders members, drops white space and duplicate members,
// and writes 1e2 as 100. The digest of no state, and of `null`, is "".
func digest(state json.RawMessage) (string, error) {
	if len(bytes.TrimSpace(state)) == 0 {
		return "", nil
	}
	decoder := json.NewDecoder(bytes.NewReader(state))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return "", fmt.Errorf("a state is not JSON: %w", err)
	}
	if value == nil {
		return "", nil
	}
	canonical, err := json.Marshal(plainValues(value)) // sorts members
	if err != nil {
		return "", fmt.Errorf("a state cannot be encoded: %w", err)
	}
	sum := sha256.Sum256(canonical)
	return hex.EncodeToString(sum[:16]), nil
}

// plainValues replaces every number by its plainNumber; the first letter tells numbers from strings.
func plainValues(value any) any {
	switch value := value.(type) {
	case json.Number:
		return "n" + plainNumber(value.String())
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

// plainNumber writes a JSON number as sign, digits and exponent, so that 1, 1.0, 10e-1 and 0.1E+1 are the same. It never rounds.
func plainNumber(literal string) string {
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
