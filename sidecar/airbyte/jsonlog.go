package airbyte

// embedded is the Airbyte message that some sources (olake) wrap in a log line: {"level":…,"time":…,"message":{"type":…}}. Absent when there is
// none.
func embedded(v value) value {
	message := v.member("message")
	if v.member("type").absent() && message.member("type").kind() == '"' {
		return message
	}
	return value{}
}

// jsonLog reads an object that is not an Airbyte message as a line of a JSON logger: zap, zerolog, logrus, pino, Python's, log4j's, and the
// {"type":"DEBUG"} lines of the Python CDK's --debug. It returns false when no member looks like the text of a log line.
func jsonLog(v value) (Log, bool) {
	text, ok := firstText(v, "message", "msg", "@message", "text", "event", "error")
	if !ok {
		return Log{}, false
	}
	log := Log{}
	if log.Level, ok = jsonLogLevel(v); !ok {
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

// jsonLogLevel is the level of a JSON logger's line; false when it gives none. pino and bunyan give numbers, from 10 for trace to 60 for fatal.
func jsonLogLevel(v value) (Level, bool) {
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
