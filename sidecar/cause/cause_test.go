package cause

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"unicode/utf8"
)

func read(t testing.TB, name string) string {
	t.Helper()
	content, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// message is what these tests need of an Airbyte message.
type message struct {
	Type  string
	Log   struct{ Level, Message string }
	Trace struct {
		Error struct {
			Message         string
			InternalMessage string `json:"internal_message"`
			StackTrace      string `json:"stack_trace"`
		}
	}
}

func messages(t testing.TB, transcript string) []message {
	t.Helper()
	var all []message
	for line := range bytes.Lines([]byte(transcript)) {
		var m message
		if err := json.Unmarshal(line, &m); err != nil {
			t.Fatal(err)
		}
		all = append(all, m)
	}
	return all
}

// What Airbyte's Python CDK (7.39.1) writes when a source fails: a FATAL log and a TRACE error. Either must tell why.
func TestPythonCDK(t *testing.T) {
	const chained = "RuntimeError: could not read users (caused by KeyError: 'id')"
	const refused = `requests.exceptions.ConnectionError: HTTPConnectionPool(host='127.0.0.1', port=9): Max retries exceeded with url: / ` +
		`(Caused by NewConnectionError("HTTPConnection(host='127.0.0.1', port=9): Failed to establish a new connection: [Errno 111] Connection refused"))`
	for name, want := range map[string]struct{ trace, log string }{
		"cdk-key":          {"KeyError: 'id'", "KeyError: 'id'"},
		"cdk-internal":     {"the token endpoint answered 401", "the token endpoint answered 401"},
		"cdk-no-text":      {"ValueError", "ValueError"},
		"cdk-http":         {refused, refused},
		"cdk-direct-cause": {chained, chained},
		"cdk-wrapper":      {"could not read users (caused by KeyError: 'id')", "could not read users (caused by KeyError: 'id')"},
		"cdk-concurrent":   {"An unexpected error occurred in stream users: KeyError: 'id'", ""},
		"cdk-stream-missing": {
			"A stream listed in your configuration was not found in the source: The stream 'users' in your connection configuration was not found in " +
				"the source. Refresh the schema in your replication settings and remove this stream from future sync attempts.",
			"A stream listed in your configuration was not found in the source. Please check the logs for more details.",
		},
	} {
		t.Run(name, func(t *testing.T) {
			var tail Tail
			for _, m := range messages(t, read(t, name+".jsonl")) {
				if m.Type == "LOG" {
					tail.AddMessage(m.Log.Message, m.Log.Level == "FATAL")
					tail.AddMessage("Finished syncing", false)
					continue
				}
				e := m.Trace.Error
				if got := OfTrace(e.Message, e.InternalMessage, e.StackTrace); got != want.trace {
					t.Errorf("the trace says %q, want %q", got, want.trace)
				}
			}
			if got := tail.Cause(); got != want.log {
				t.Errorf("the log says %q, want %q", got, want.log)
			}
		})
	}
}

func TestOfTrace(t *testing.T) {
	const generic = "Something went wrong in the connector. See the logs for more details."
	java := strings.TrimPrefix(read(t, "java-chain.txt"), `Exception in thread "main" `)
	python := read(t, "python-direct-cause.txt")
	for _, test := range []struct{ name, message, internal, stack, want string }{
		{"nothing", "", "", "", ""},
		{"a message that says it", "Invalid API key.", "401", python, "Invalid API key."},
		{"generic, and nothing else", generic, "", "", generic},
		{"generic twice", generic, generic, "", generic},
		{"generic, internal", generic, "401 Client Error: None for url: https://a.b/token", "", "401 Client Error: None for url: https://a.b/token"},
		{"generic, trace", generic, "", python, "RuntimeError: could not read users (caused by KeyError: 'id')"},
		{"java", generic, "java.lang.RuntimeException: could not read users", java,
			"java.net.ConnectException: Connection refused; Position: 15; second line"},
		{"java, one exception", generic, "java.sql.SQLException: no", "java.sql.SQLException: no\n\tat A.main(A.java:3)\n", "java.sql.SQLException: no"},
		{"java, an own name", generic, "a.b.Boom: no", "a.b.Boom: no\n\tat A.main(A.java:3)\n", "a.b.Boom: no"},
		{"kotlin, no message", "java.lang.RuntimeException: could not read users", "java.lang.RuntimeException: could not read users", java,
			"java.net.ConnectException: Connection refused; Position: 15; second line"},
		{"file source", "Error parsing a record from file.", "Please check the logged errors for more information.", python,
			"Error parsing a record from file."},
		{"points to the logs", "Sync of users failed. Please check the logs for more information.", "quota exceeded", "",
			"Sync of users failed: quota exceeded"},
		{"points to the logs, in vain", "Sync of users failed. See logs.", "", "", "Sync of users failed. See logs."},
		{"internal in the message", generic, "quota exceeded", "quota exceeded", "quota exceeded"},
		{"login is no log", "Check your login credentials.", "401", "", "Check your login credentials."},
		{"generic in other words", "An unknown error occurred.", "boom", "", "boom"},
		{"a word", "None", "boom", "", "boom"},
		{"a traceback in the message", "Encountered an error trying to connect to stream users. Error: \n " + python, "", "",
			"Encountered an error trying to connect to stream users. Error: RuntimeError: could not read users (caused by KeyError: 'id')"},
		{"a traceback as the internal message", generic, python, "", "RuntimeError: could not read users (caused by KeyError: 'id')"},
		{"a java trace in the message", java, "", "", "java.net.ConnectException: Connection refused; Position: 15; second line"},
		{"several lines", "could not read:\nusers\n\norders", "", "", "could not read: users; orders"},
		{"failed streams", "During the sync, the following streams did not sync successfully: users: KeyError('id')\norders: ValueError('x')", "", "",
			"During the sync, the following streams did not sync successfully: users: KeyError('id'); orders: ValueError('x')"},
		{"type only", "KeyError", "'id'", python[:strings.Index(python, "\n\nThe above")], "KeyError: 'id'"},
		{"type only, no trace", "reading failed: KeyError", "'id'", "", "reading failed: KeyError"},
		{"control characters stay", "a\x1b[31mb\x00\rc", "", "", "a\x1b[31mb\x00\rc"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := OfTrace(test.message, test.internal, test.stack); got != test.want {
				t.Errorf("got  %q\nwant %q", got, test.want)
			}
		})
	}
}

func TestLimit(t *testing.T) {
	long := strings.Repeat("日本", Limit)
	for name, got := range map[string]string{
		"message":  OfTrace(long, "", ""),
		"internal": OfTrace("", long, ""),
		"stack":    OfTrace("", "", "a.b.Exception: "+long+"\n\tat a.b(C.java:1)\n"),
		"lines":    OfTrace(strings.Repeat("a line\n", 1<<16), "", ""),
		"pieces":   OfTrace("Sync failed: "+long+". See logs.", long[1:], long),
	} {
		if len(got) > Limit || len(got) < Limit-utf8.UTFMax || !strings.HasSuffix(got, "…") || !utf8.ValidString(strings.TrimPrefix(got, long[1:3])) {
			t.Errorf("%s: %d bytes, ends in %q", name, len(got), got[max(0, len(got)-20):])
		}
	}
}

func FuzzOfTrace(f *testing.F) {
	f.Add("Something went wrong in the connector. See the logs for more details.", "'id'", read(f, "python-direct-cause.txt"))
	f.Add("", "a.b.C: x", read(f, "java-chain.txt"))
	f.Add(read(f, "python-group.txt"), read(f, "rust-assert.txt"), read(f, "node-causes.txt"))
	f.Fuzz(func(t *testing.T, message, internal, stack string) {
		got := OfTrace(message, internal, stack)
		if len(got) > Limit || strings.Contains(got, "\n") {
			t.Fatalf("%d bytes: %q", len(got), got)
		}
		if got == "" && strings.TrimSpace(message) != "" {
			t.Fatalf("nothing came of %q", message)
		}
	})
}
