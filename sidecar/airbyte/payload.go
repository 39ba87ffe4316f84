package airbyte

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// errNotAirbyte says that an object is not a message of the protocol.
var errNotAirbyte = errors.New("not an airbyte message")

// decode fills m from the object of a whole message that is neither a record nor a state. The error is errNotAirbyte, or says which part is missing.
func (m *Message) decode(kind Type, message value) error {
	var err error
	switch kind {
	case TypeLog:
		m.Log, err = decodeLog(message.member("log"))
	case TypeSpec:
		m.Spec, err = object(message, "spec")
	case TypeCatalog:
		m.Catalog, err = object(message, "catalog")
	case TypeConnectionStatus:
		m.ConnectionStatus, err = decodeConnectionStatus(message.member("connectionStatus"))
	case TypeTrace:
		m.Trace, err = decodeTrace(message.member("trace"))
	case TypeControl:
		m.Control, err = decodeControl(message.member("control"))
	default:
		err = errNotAirbyte
	}
	return err
}

// missing is the error of a message that lacks a part that it needs.
func missing(path string) error { return fmt.Errorf("%s is missing or of the wrong kind", path) }

// object returns a member as sent; an error when it is not an object.
func object(of value, key string) (json.RawMessage, error) {
	member := of.member(key)
	if member.kind() != '{' {
		return nil, missing(key)
	}
	return member.raw(), nil
}

// decodeLog takes every shape of a log message that sources send.
func decodeLog(v value) (*Log, error) {
	if v.kind() != '{' {
		return nil, missing("log")
	}
	text, ok := firstText(v, "message", ".message", "msg")
	if !ok {
		text = string(v.raw())
	}
	level, ok := parseLevel(v.member("level").text())
	if !ok {
		level, _ = guessLevel(text)
	}
	if trace := v.member("stack_trace").text(); trace != "" {
		text += "\n" + strings.TrimRight(trace, "\n")
	}
	return &Log{Level: level, Message: clip(text, maxLog, len(text))}, nil
}

// firstText is the first of these members that is a string; false when none is.
func firstText(v value, keys ...string) (string, bool) {
	for _, key := range keys {
		if member := v.member(key); member.kind() == '"' {
			return member.text(), true
		}
	}
	return "", false
}

func decodeConnectionStatus(v value) (*ConnectionStatus, error) {
	status := strings.ToUpper(v.member("status").text())
	if status == "" {
		return nil, missing("connectionStatus.status")
	}
	return &ConnectionStatus{Status: status, Message: v.member("message").text()}, nil
}

func decodeControl(v value) (*Control, error) {
	c := &Control{Type: strings.ToUpper(v.member("type").text())}
	c.EmittedAt, _ = v.member("emitted_at").number()
	config := v.member("connectorConfig").member("config")
	if config.kind() != '{' {
		return nil, missing("control.connectorConfig.config")
	}
	c.Config = config.raw()
	return c, nil
}

// name shortens a word of the source for a message.
func name(word string) string {
	const longest = 64
	if len(word) > longest {
		word = strings.ToValidUTF8(word[:longest], "") + "…"
	}
	return word
}
