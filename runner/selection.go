package runner

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"sync-sidecar/sidecar/airbyte"
)

// Selection is what of a connector's streams to read, and how, and what comes before.
type Selection struct {
	// CheckConfig holds the configuration against the connector's spec first.
	CheckConfig bool
	// Streams are names, <namespace>.<name>, or either as a pattern with * and ?; empty takes all.
	Streams []string
	// FullRefresh reads everything again and replaces what is there, where the connector can.
	FullRefresh bool
	// SyncModes, Cursors and PrimaryKeys are choices about streams: a sync mode, a path, several paths.
	SyncModes, Cursors, PrimaryKeys []Choice
	// CatalogAge is how long streams that were discovered are used; Discover asks for them again.
	CatalogAge time.Duration
	Discover   bool
}

// Choice is what a user wants of the streams that a name or pattern matches.
type Choice struct {
	Flag   string   // as the user gave it, for messages
	Stream string   // "" is all
	Values []string // of which only a primary key has several
}

// ParseChoices reads STREAM=VALUE of a flag. A value without a stream is a further one of the stream before, where several are allowed, or one of all
// streams, where allowAll says so.
func ParseChoices(flag string, values []string, several, allowAll bool) ([]Choice, error) {
	var choices []Choice
	for _, text := range values {
		at := strings.LastIndexByte(text, '=')
		stream, value := strings.TrimSpace(text[:max(at, 0)]), strings.TrimSpace(text[at+1:])
		switch {
		case value == "" || at == 0:
			return nil, fmt.Errorf("--%s %q: write STREAM=VALUE", flag, text)
		case at < 0 && several && len(choices) > 0:
			last := &choices[len(choices)-1]
			last.Values, last.Flag = append(last.Values, value), last.Flag+","+value
			continue
		case at < 0 && !allowAll:
			return nil, fmt.Errorf("--%s %q: write STREAM=FIELD, as in orders=%s", flag, text, value)
		}
		choices = append(choices, Choice{Flag: "--" + flag + " " + text, Stream: stream, Values: []string{value}})
	}
	return choices, nil
}

// CheckModes says what of choices is no sync mode.
func CheckModes(choices []Choice) error {
	var problems []error
	for _, choice := range choices {
		if mode := airbyte.SyncMode(choice.Values[0]); mode != airbyte.FullRefresh && mode != airbyte.Incremental {
			problems = append(problems, fmt.Errorf("%s: write full_refresh or incremental", choice.Flag))
		}
	}
	return errors.Join(problems...)
}

// chooses says that there are choices.
func (s Selection) chooses() bool { return len(s.choices()) > 0 }

func (s Selection) choices() []Choice { return slices.Concat(s.SyncModes, s.Cursors, s.PrimaryKeys) }

// ChoiceArgs are the flags of the choices, for a program that takes the same ones.
func (s Selection) ChoiceArgs() []string {
	var args []string
	for _, choice := range s.choices() {
		flag, value, _ := strings.Cut(choice.Flag, " ")
		args = append(args, flag, value)
	}
	return args
}

// choiceOf is the choice that is about a stream: one that names it goes before patterns, those before one of all; of equals the last. Nil is none.
func choiceOf(choices []Choice, stream airbyte.Stream) *Choice {
	var best *Choice
	rank := -1
	for i := range choices {
		choice := &choices[i]
		at := -1
		switch {
		case choice.Stream == "":
			at = 0
		case isCalled(stream, choice.Stream):
			at = 2
		case isNamed(stream, choice.Stream):
			at = 1
		}
		if at >= 0 && at >= rank {
			best, rank = choice, at
		}
	}
	return best
}

// apply makes a stream as the choices want it. The error names all that is impossible, and what the stream offers.
func (s Selection) apply(stream *airbyte.ConfiguredStream) (changed bool, notes []string, err error) {
	mode, cursor, key := choiceOf(s.SyncModes, stream.Stream), choiceOf(s.Cursors, stream.Stream), choiceOf(s.PrimaryKeys, stream.Stream)
	before := stream.SyncMode
	problems := []error{s.applyMode(stream, mode, cursor)}
	if cursor != nil && problems[0] == nil {
		problems = append(problems, applyCursor(stream, cursor))
	}
	if key != nil {
		note, err := applyKey(stream, key)
		if problems = append(problems, err); note != "" {
			notes = append(notes, note)
		}
	}
	switch {
	case stream.SyncMode == airbyte.FullRefresh && before != airbyte.FullRefresh:
		stream.DestinationSyncMode, stream.CursorField = airbyte.Overwrite, nil
	case stream.SyncMode == airbyte.Incremental && (before != airbyte.Incremental || key != nil):
		stream.DestinationSyncMode = airbyte.Append
		if len(stream.Key()) > 0 {
			stream.DestinationSyncMode = airbyte.AppendDedup
		}
	}
	return mode != nil || cursor != nil || key != nil, notes, errors.Join(problems...)
}

// applyMode chooses how a stream is read. Whoever names a cursor means to read by it.
func (s Selection) applyMode(stream *airbyte.ConfiguredStream, mode, cursor *Choice) error {
	supported := stream.Stream.SupportedSyncModes
	full := len(supported) == 0 || slices.Contains(supported, airbyte.FullRefresh)
	incremental := slices.Contains(supported, airbyte.Incremental)
	name := stream.Stream.Descriptor()
	var wanted airbyte.SyncMode
	choice := mode
	switch {
	case mode != nil:
		wanted = airbyte.SyncMode(mode.Values[0])
	case cursor != nil:
		wanted, choice = airbyte.Incremental, cursor
	default:
		return nil
	}
	switch {
	case wanted == airbyte.FullRefresh && cursor != nil:
		return fmt.Errorf("%s: stream %q is to be read as a full refresh (%s), which has no cursor", cursor.Flag, name, choice.Flag)
	case wanted == airbyte.FullRefresh && !full:
		return fmt.Errorf("%s: stream %q can only be read incrementally", choice.Flag, name)
	case wanted == airbyte.Incremental && !incremental:
		return fmt.Errorf("%s: stream %q can only be read as a full refresh", choice.Flag, name)
	}
	stream.SyncMode = wanted
	if wanted == airbyte.FullRefresh || cursor != nil {
		return nil
	}
	if len(stream.CursorField) == 0 {
		stream.CursorField = stream.Stream.DefaultCursorField
	}
	if len(stream.CursorField) == 0 && !stream.Stream.SourceDefinedCursor {
		return fmt.Errorf("%s: stream %q names no cursor by which it is read: choose one (--cursor %s=FIELD); %s", choice.Flag, name, name,
			offered(fieldsOf(stream.Stream)))
	}
	return nil
}

// applyCursor sets the cursor, where it is not the connector's own to say.
func applyCursor(stream *airbyte.ConfiguredStream, choice *Choice) error {
	path, err := fieldPath(stream.Stream, choice, choice.Values[0])
	own := stream.Stream.DefaultCursorField
	switch {
	case stream.Stream.SourceDefinedCursor && len(own) == 0:
		return fmt.Errorf("%s: the connector itself defines by what it reads stream %q", choice.Flag, stream.Stream.Descriptor())
	case stream.Stream.SourceDefinedCursor && !slices.Equal(own, path):
		return fmt.Errorf("%s: the connector itself defines by what it reads stream %q, which is %s", choice.Flag, stream.Stream.Descriptor(),
			strings.Join(own, "."))
	case err != nil:
		return err
	}
	stream.CursorField = path
	return nil
}

// applyKey sets the primary key. The note tells of a key of the connector's own that it takes the place of.
func applyKey(stream *airbyte.ConfiguredStream, choice *Choice) (note string, err error) {
	var key [][]string
	var problems []error
	for _, value := range choice.Values {
		path, err := fieldPath(stream.Stream, choice, value)
		problems = append(problems, err)
		key = append(key, path)
	}
	if err := errors.Join(problems...); err != nil {
		return "", err
	}
	own := stream.Stream.SourceDefinedPrimaryKey
	if len(own) > 0 && !slices.EqualFunc(own, key, slices.Equal) {
		note = fmt.Sprintf("its rows are told apart by %s, and not by the connector's own key %s", keyText(key), keyText(own))
	}
	stream.PrimaryKey = key
	return note, nil
}

func keyText(key [][]string) string {
	var paths []string
	for _, path := range key {
		paths = append(paths, strings.Join(path, "."))
	}
	return strings.Join(paths, ", ")
}
