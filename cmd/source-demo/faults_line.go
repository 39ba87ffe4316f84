package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// Faults in what is written: lines that are no messages, and records that are damaged.

type stdoutFault struct {
	Trigger
	Text  string `json:"text"`
	Lines int    `json:"lines"`
}

func (f *stdoutFault) strike(j *job, _ *streamRun) error {
	for range f.Lines {
		if err := j.out.line(f.Text); err != nil {
			return err
		}
	}
	return nil
}

type stderrFault struct {
	Trigger
	Text  string `json:"text"`
	Lines int    `json:"lines"`
}

func (f *stderrFault) strike(j *job, _ *streamRun) error {
	return j.stderr(strings.Repeat(f.Text+"\n", f.Lines))
}

type floodFault struct {
	Trigger
	Bytes int64 `json:"bytes"`
}

func (f *floodFault) strike(j *job, _ *streamRun) error {
	lines := strings.Repeat("DEBUG "+strings.Repeat("flood ", 20)+"\n", 500)
	for left := f.Bytes; left > 0; left -= int64(len(lines)) {
		if err := j.stderr(lines[:min(left, int64(len(lines)))]); err != nil {
			return err
		}
	}
	return nil
}

type brokenFault struct{ Trigger }

func (f *brokenFault) strike(_ *job, run *streamRun) error {
	return run.alterNext(func(line []byte) []byte { return append(line[:len(line)/2], '\n') }, nil)
}

type joinFault struct {
	Trigger
	Lines int `json:"lines"`
}

func (f *joinFault) strike(_ *job, run *streamRun) error {
	left := f.Lines - 1
	var joinNext func() error
	joinNext = func() error {
		if left--; left < 0 {
			return nil
		}
		return run.alterNext(func(line []byte) []byte { return bytes.TrimSuffix(line, []byte("\n")) }, joinNext)
	}
	return joinNext()
}

type hugeFault struct {
	Trigger
	Bytes int `json:"bytes"`
}

func (f *hugeFault) strike(_ *job, run *streamRun) error {
	return run.insertNext(func(b []byte) []byte {
		b = append(b, `"huge":"`...)
		b = append(b, bytes.Repeat([]byte("huge row "), f.Bytes/9+1)[:f.Bytes]...)
		return append(b, `",`...)
	})
}

type nonFiniteFault struct{ Trigger }

func (f *nonFiniteFault) strike(_ *job, run *streamRun) error {
	return run.insertNext(text(`"odd_number":NaN,"odd_numbers":{"list":[Infinity, -Infinity],"text":"NaN, Infinity"},`))
}

type invalidUTF8Fault struct{ Trigger }

func (f *invalidUTF8Fault) strike(_ *job, run *streamRun) error {
	// A byte that never occurs in UTF-8, an encoded surrogate, and Latin-1.
	return run.insertNext(text("\"odd_bytes\":\"\xff \xed\xa0\x80 caf\xe9\","))
}

type nulFault struct{ Trigger }

func (f *nulFault) strike(_ *job, run *streamRun) error {
	return run.insertNext(text(`"odd_nul":"a\u0000b",`))
}

type surrogateFault struct{ Trigger }

func (f *surrogateFault) strike(_ *job, run *streamRun) error {
	return run.insertNext(text(`"odd_surrogates":"a\ud800b\udc00",`))
}

func text(s string) func([]byte) []byte { return func(b []byte) []byte { return append(b, s...) } }

type escapedKeysFault struct{ Trigger }

// strike writes the next record in an envelope that is valid and that nobody writes: what a reader must understand all the same.
func (f *escapedKeysFault) strike(_ *job, run *streamRun) error {
	return run.alterNext(func(line []byte) []byte {
		data := bytes.Clone(line[len(run.prefix):bytes.LastIndexByte(line, ',')])
		b := fmt.Appendf(line[:0], ` { "record" : {"data":{"dropped":true},"emitted_at":%d , "d\u0061ta": %s,`, run.job.emittedAtMillis, data)
		if run.namespace != "" {
			b = fmt.Appendf(b, `"namespace":%s,`, quote(run.namespace))
		}
		return fmt.Appendf(b, `"meta":{"changes":[]},"str\u0065am":%s}, "\u0074ype" :"RECORD","extra":[{"type":"STATE"}]}`+"\n", quote(run.name))
	}, nil)
}

type fileFault struct{ Trigger }

// strike adds what file_uploader of the Python CDK adds to the record of a file.
func (f *fileFault) strike(_ *job, run *streamRun) error {
	return run.alterNext(func(line []byte) []byte {
		end := bytes.LastIndex(line, []byte("}}"))
		return append(line[:end], `,"file_reference":{"staging_file_url":"/staging/files/demo.pdf","source_file_relative_path":"demo.pdf",`+
			`"file_size_bytes":1048576}}}`+"\n"...)
	}, nil)
}

type unknownFault struct {
	Trigger
	Name string `json:"name"`
	Rows int    `json:"rows"`
}

func (f *unknownFault) strike(j *job, _ *streamRun) error {
	for n := range f.Rows {
		err := j.out.line(fmt.Sprintf(`{"type":"RECORD","record":{"stream":%s,"data":{"id":%d},"emitted_at":%d}}`,
			quote(f.Name), n+1, j.world.now().UnixMilli()))
		if err != nil {
			return err
		}
	}
	return nil
}

type unknownTypesFault struct{ Trigger }

// strike: the DEBUG line is the CDK's (logger.py), the wrapped one olake's, the last two are what loggers print.
func (f *unknownTypesFault) strike(j *job, _ *streamRun) error {
	return j.lines(
		`{"type":"FANCY","fancy":{"level":"over 9000"}}`,
		`{"type":"DEBUG","message":"request sent","data":{"url":"https://demo.example.com"}}`,
		`{"type":"DESTINATION_CATALOG","destination_catalog":{"operations":[]}}`,
		`{"level":"info","time":"2024-01-01T00:00:00Z","message":{"type":"CONNECTION_STATUS","connectionStatus":{"status":"SUCCEEDED"}}}`,
		`{"level":"warn","msg":"deprecated setting"}`,
		`["RECORD"]`,
		`42`,
	)
}

type emptyFault struct{ Trigger }

func (f *emptyFault) strike(j *job, _ *streamRun) error {
	lines := []string{`{"type":"RECORD","record":{"stream":"orders","data":null,"emitted_at":1}}`, `{"type":"STATE","state":{}}`, `{}`,
		`{"type":"TRACE","trace":{}}`, `{"type":"LOG","log":{}}`}
	for _, name := range []string{"RECORD", "STATE", "LOG", "TRACE", "CONTROL"} {
		lines = append(lines, fmt.Sprintf(`{"type":%q}`, name), fmt.Sprintf(`{"type":%q,%q:null}`, name, strings.ToLower(name)))
	}
	return j.lines(lines...)
}

type logLevelsFault struct{ Trigger }

func (f *logLevelsFault) strike(j *job, _ *streamRun) error {
	for _, level := range []string{"TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"} {
		m := message{Type: "LOG", Log: &logMessage{Level: level, Message: "a " + level + " message, 100% harmless: %s %d"}}
		if level == "ERROR" {
			m.Log.StackTrace = "Traceback (most recent call last):\n  File \"source.py\", line 1, in <module>\nValueError: harmless"
		}
		if err := j.out.message(m); err != nil {
			return err
		}
	}
	return nil
}

type logSecretFault struct {
	Trigger
	Prose bool `json:"prose"`
}

func (f *logSecretFault) strike(j *job, _ *streamRun) error {
	if err := j.log("INFO", "GET https://demo.example.com/?api_key="+j.config.APIKey); err != nil {
		return err
	}
	if f.Prose {
		if err := j.out.line("using api key " + j.config.APIKey); err != nil {
			return err
		}
	}
	if err := j.stderr("Authorization: Bearer " + j.config.APIKey + "\n"); err != nil {
		return err
	}
	return j.trace(trace{Type: "ANALYTICS", Analytics: &analytics{Type: "demo-secret", Value: j.config.APIKey}})
}

type wrongStatsFault struct {
	Trigger
	By int64 `json:"by"`
}

func (f *wrongStatsFault) strike(j *job, _ *streamRun) error {
	j.statsError = f.By
	return j.log("DEBUG", fmt.Sprintf("from here on sourceStats is wrong by %d", f.By))
}

// quote is a JSON string.
func quote(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		return `""` // strings always encode
	}
	return string(b)
}

// stderr writes at once; what is on stdout goes first, so that the two are in order where a person looks at both.
func (j *job) stderr(text string) error {
	if err := j.out.flush(); err != nil {
		return err
	}
	if _, err := io.WriteString(j.world.stderr, text); err != nil {
		return fmt.Errorf("write stderr: %w", err)
	}
	return nil
}

// lines writes lines to stdout.
func (j *job) lines(lines ...string) error {
	return j.out.line(strings.Join(lines, "\n"))
}
