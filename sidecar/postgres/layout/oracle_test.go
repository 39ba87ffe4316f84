package layout_test

import (
	"encoding/json"
	"fmt"
	"math/big"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// sameBeside compares a printed value with that in Unmapped.
func sameBeside(printed, kept any) bool {
	switch printed := printed.(type) {
	case json.Number:
		text := fmt.Sprint(kept)
		return text == string(printed) || sameNumber(string(printed), text)
	case string:
		return kept == cleanText(printed)
	case bool:
		return kept == printed
	}
	text, is := kept.(string)
	return is && sameJSON(printed, text)
}

// cleanText is a text as Postgres can hold it. encoding/json has replaced the halves of surrogate pairs.
func cleanText(text string) string { return strings.ReplaceAll(text, "\x00", "") }

// sameNumber compares two numbers digit by digit.
func sameNumber(a, b string) bool {
	if exponent := a[strings.IndexAny(a+"e", "eE"):]; len(exponent) > 6 {
		return a == b // too large for big.Rat
	}
	first, ok := new(big.Rat).SetString(a)
	second, alsoOK := new(big.Rat).SetString(b)
	return ok && alsoOK && first.Cmp(second) == 0
}

// sameJSON says that a text is JSON of the same content.
func sameJSON(printed any, text string) bool {
	return same(printed, decode(text))
}

// same compares JSON values, numbers by what they say.
func same(a, b any) bool {
	switch a := a.(type) {
	case json.Number:
		b, is := b.(json.Number)
		return is && sameNumber(string(a), string(b))
	case []any:
		b, is := b.([]any)
		return is && slices.EqualFunc(a, b, same)
	case map[string]any:
		b, is := b.(map[string]any)
		if !is || len(a) != len(b) {
			return false
		}
		for key, value := range a {
			if other, has := b[key]; !has || !same(value, other) {
				return false
			}
		}
		return true
	}
	return reflect.DeepEqual(a, b)
}

// sameStored compares a printed value with that of its column.
func sameStored(printed, stored any, typeName string) bool {
	text := fmt.Sprint(stored)
	switch {
	case stored == nil:
		return false
	case typeName == "text", strings.HasPrefix(typeName, "character"):
		if strings.HasPrefix(typeName, "character(") {
			text = strings.TrimRight(text, " ")
		}
		switch printed := printed.(type) {
		case string:
			want := cleanText(printed)
			if strings.HasPrefix(typeName, "character(") {
				want = strings.TrimRight(want, " ")
			}
			return text == want
		case json.Number:
			return text == string(printed) || sameNumber(string(printed), text)
		case bool:
			return text == fmt.Sprint(printed)
		}
		return sameJSON(printed, text)
	case typeName == "jsonb" || typeName == "json":
		if text, is := printed.(string); is && json.Valid([]byte(text)) && !same(cleanAll(printed), cleanAll(stored)) {
			printed = decode(text)
		}
		if typeName == "json" {
			return same(printed, stored)
		}
		return same(cleanAll(printed), stored)
	case strings.HasSuffix(typeName, "[]"):
		items, is := printed.([]any)
		got, alsoIs := stored.([]any)
		return is && alsoIs && slices.EqualFunc(items, got, func(item, other any) bool {
			return item == nil && other == nil || item != nil && sameStored(item, other, strings.TrimSuffix(typeName, "[]"))
		})
	case strings.HasPrefix(typeName, "timestamp"), typeName == "date":
		at, ok := parseTime(fmt.Sprint(printed))
		if typeName == "date" {
			return ok && at.UTC().Format(time.DateOnly) == text
		}
		got, ok2 := parseTime(text)
		return ok && ok2 && at.Truncate(time.Microsecond).Equal(got)
	}
	return sameScalar(printed, text, typeName)
}

// sameScalar compares a printed value with a number, a boolean, or another scalar.
func sameScalar(printed any, text, typeName string) bool {
	switch printed := printed.(type) {
	case json.Number:
		if typeName == "boolean" {
			return sameNumber(string(printed), map[string]string{"true": "1", "false": "0"}[text])
		}
		return sameNumber(string(printed), text)
	case bool:
		return text == fmt.Sprint(printed) || sameNumber(map[bool]string{true: "1", false: "0"}[printed], text)
	case string:
		return text == printed || strings.EqualFold(text, printed) || sameNumber(printed, text) || typeName == "inet" && text == printed+"/32" ||
			typeName == "boolean" && sameNumber(printed, map[string]string{"true": "1", "false": "0"}[text])
	}
	return false
}

// cleanAll is a JSON value as jsonb can hold it.
func cleanAll(value any) any {
	switch value := value.(type) {
	case string:
		return cleanText(value)
	case []any:
		cleaned := make([]any, len(value))
		for i, item := range value {
			cleaned[i] = cleanAll(item)
		}
		return cleaned
	case map[string]any:
		cleaned := map[string]any{}
		for key, item := range value {
			cleaned[cleanText(key)] = cleanAll(item)
		}
		return cleaned
	}
	return value
}

func parseTime(text string) (time.Time, bool) {
	for _, form := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", time.DateOnly, time.DateTime} {
		if at, err := time.Parse(form, text); err == nil && utf8.ValidString(text) {
			return at, true
		}
	}
	return time.Time{}, false
}
