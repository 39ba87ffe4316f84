package airbyte

import (
	"bytes"
	"iter"
	"strings"
)

// What can still be told of a message of which only a part is there.

// damagedType is the type of a message at b[i] whose scan failed: by `type` when the scan reached it, else by the key of the payload. Empty when
// neither is known.
func (e *envelope) damagedType(b []byte, i int) Type {
	switch kind := e.messageType(b); {
	case kind != "":
		return kind
	case e.record.seen:
		return TypeRecord
	case b[i] != '{':
		return ""
	}
	key, at := scanKey(b, skipSpace(b, i+1))
	if at < 0 || b[at] != '{' {
		return ""
	}
	return payloadType(key)
}

// mayBeRow says whether a lost message of this type may have been a row. The type is empty when it was lost too.
func mayBeRow(kind Type) bool { return kind == "" || kind == TypeRecord }

// mayBeState says whether a lost message of this type may have been a STATE.
func mayBeState(kind Type) bool { return kind == "" || kind == TypeState }

// messagePart says whether text seems to be a part of a message rather than prose. Such text is not shown: it may hold a row or a secret.
func messagePart(text []byte) bool {
	const longestType = 40 // bytes: more than any type of the protocol has, with its quotes
	for rest := range memberValues(text, "type") {
		word := bytes.TrimLeft(rest[:min(len(rest), longestType)], quotes)
		if end := bytes.IndexAny(word, quotes); end > 0 && knownType(Type(bytes.ToUpper(word[:end]))) {
			return true
		}
	}
	for _, key := range []string{
		"record", "emitted_at", "stream_state", "stream_descriptor", "connectorConfig", "connectionSpecification", "json_schema",
	} {
		for range memberValues(text, key) {
			return true
		}
	}
	// More braces close than open: the rest of a message that began on an earlier line.
	return bytes.HasSuffix(text, []byte("}")) && bytes.Count(text, []byte("}")) > bytes.Count(text, []byte("{"))
}

// messageBeginning says whether text is so small a part of a message that only its first bytes are there: {"type":"REC, for example.
func messageBeginning(text []byte) bool {
	const longest = 60 // bytes: more than a type or a key has, with white space around it
	word, isObject := bytes.CutPrefix(text[:min(len(text), longest)], []byte{'{'})
	if !isObject {
		return false
	}
	word = bytes.Join(bytes.FieldsFunc(word, func(c rune) bool { return c == ' ' || c == '\t' }), nil)
	for _, whole := range []string{
		`"type":"RECORD"`, `"type":"STATE"`, `"type":"LOG"`, `"type":"SPEC"`, `"type":"CONNECTION_STATUS"`, `"type":"CATALOG"`, `"type":"TRACE"`,
		`"type":"CONTROL"`,
		`"record":`, `"state":`, `"log":`, `"spec":`, `"connectionStatus":`, `"catalog":`, `"trace":`, `"control":`,
	} {
		if strings.HasPrefix(whole, string(word)) {
			return true
		}
	}
	return false
}

// printedMember says that a line is a member of an object, as JSON is printed for people: "type": "RECORD",
func printedMember(line []byte) bool {
	line = bytes.TrimSpace(unpad(line))
	return len(line) > 0 && line[0] == '"' && (bytes.Contains(line, []byte(`": `)) || bytes.Contains(line, []byte(`":{`)))
}

// quotes are the quotation marks of JSON and of Python's repr.
const quotes = `"'`

// memberValues yields the text from the value on, for each place in possibly broken JSON that looks like a member with this key.
func memberValues(text []byte, key string) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for {
			i := bytes.Index(text, []byte(key))
			if i < 0 {
				return
			}
			before, after := text[:i], text[i+len(key):]
			text = after
			if len(before) == 0 || len(after) == 0 || bytes.IndexByte([]byte(quotes), before[i-1]) < 0 || before[i-1] != after[0] {
				continue
			}
			rest := bytes.TrimLeft(after[1:], " \t")
			if len(rest) > 0 && rest[0] == ':' && !yield(bytes.TrimLeft(rest[1:], " \t")) {
				return
			}
		}
	}
}
