package airbyte

import (
	"bytes"
	"iter"
)

// embedded is the Airbyte message that some connectors (olake) wrap in a log line: {"level":…,"time":…,"message":{"type":…}}. Absent when there is
// none.
func embedded(v value) value {
	message := v.member("message")
	if v.member("type").absent() && message.member("type").kind() == '"' {
		return message
	}
	return value{}
}

// foreignLog reads an object that is not an Airbyte message as the log line of a JSON logger (zap, zerolog, logrus, pino, Python's, log4j's, and
// {"type":"DEBUG"} of the Python CDK's --debug).
func foreignLog(v value) (Log, bool) {
	text, ok := firstText(v, "message", "msg", "@message", "text", "event", "error")
	if !ok {
		return Log{}, false
	}
	log := Log{}
	if log.Level, ok = foreignLevel(v); !ok {
		log.Level, _ = guessLevel(text)
	}
	for _, key := range []string{"error", "err", "exception", "exc_info", "stack_trace", "stacktrace", "stack"} {
		if detail := v.member(key).text(); detail != "" && detail != text {
			text += "\n" + detail
		}
	}
	if data := v.member("data"); data.kind() == '{' && data.j-data.i > len("{}") && log.Level == LevelDebug {
		text += " " + string(data.raw())
	}
	log.Message = clip(text, maxLog, len(text))
	return log, true
}

// foreignLevel is the level of a JSON logger's line. Numbers are pino's and bunyan's: 10 is trace, 60 fatal.
func foreignLevel(v value) (Level, bool) {
	for _, key := range []string{"level", "severity", "lvl", "levelname", "log.level", "@level", "type"} {
		member := v.member(key)
		if level, ok := parseLevel(member.text()); ok {
			return level, true
		}
		if n, ok := member.number(); ok && n >= 10 && n <= 60 {
			return []Level{LevelTrace, LevelDebug, LevelInfo, LevelWarn, LevelError, LevelFatal}[int(n/10)-1], true
		}
	}
	return "", false
}

// private says whether text seems to be a part of a message, which may hold a row or a secret, rather than prose.
func private(text []byte) bool {
	for rest := range memberValues(text, "type") {
		word := bytes.TrimLeft(rest[:min(len(rest), longestKey)], quotes)
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
	// The rest of a message whose beginning was on an earlier line.
	return bytes.HasSuffix(text, []byte("}")) && bytes.Count(text, []byte("}")) > bytes.Count(text, []byte("{"))
}

// quotes are those of JSON, and of Python's repr.
const quotes = `"'`

// memberValues are the places in possibly broken JSON where the value of a member with this key begins.
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

// knownType says whether the protocol has this message type for sources.
func knownType(t Type) bool {
	switch t {
	case TypeRecord, TypeState, TypeLog, TypeSpec, TypeConnectionStatus, TypeCatalog, TypeTrace, TypeControl:
		return true
	default:
		return false
	}
}
