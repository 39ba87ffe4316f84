package cause

import (
	"strings"
	"testing"
)

// The transcripts in testdata were recorded: Python 3.11, OpenJDK 17, Node.js 20, Go 1.26, Rust 1.95. Only paths were replaced, and long ones cut.
func TestTranscripts(t *testing.T) {
	for name, want := range map[string]string{
		"python-direct-cause":   "RuntimeError: could not read users (caused by KeyError: 'id')",
		"python-while-handling": "ValueError: handler failed",
		"python-both-chains":    "LookupError: second",
		"python-group": "ExceptionGroup: many streams (2 sub-exceptions); ValueError: users; ExceptionGroup: inner (1 sub-exception); " +
			"TypeError: orders; second line",
		"python-task-group":      "ExceptionGroup: unhandled errors in a TaskGroup (2 sub-exceptions); ValueError: users; TypeError: orders",
		"python-syntax":          `SyntaxError: invalid syntax (File "/app/p4.py", line 1)`,
		"python-syntax-imported": `SyntaxError: invalid syntax (File "/app/p4.py", line 1)`,
		"python-many-lines":      "ValueError: 1 validation error for Config; host; Field required [type=missing, input_value={}, input_type=dict]",
		"python-note":            "Quota: daily quota exceeded; resets at midnight",
		"python-argparse":        "main.py read: error: the following arguments are required: --catalog",
		"python-thread":          "OSError: [Errno 28] No space left on device; stopping: a worker died",
		"python-recursion":       "RecursionError: maximum recursion depth exceeded",
		"python-ignored":         "ConnectionError: refused",
		"python-handled":         "ZeroDivisionError: division by zero",
		"python-pool":            "KeyError: 'id'",
		"python-no-text":         "Exception",
		"python-interrupt":       "KeyboardInterrupt",
		"java-chain":             "java.net.ConnectException: Connection refused; Position: 15; second line",
		"java-logged":            "java.net.ConnectException: Connection refused; Position: 15; second line",
		"java-no-text":           "java.lang.RuntimeException: could not open file x (caused by java.lang.NullPointerException)",
		"java-initializer":       "java.lang.ArithmeticException: / by zero",
		"java-thread":            `java.lang.IllegalArgumentException: bad "x"`,
		"java-stack":             "java.lang.StackOverflowError",
		"java-memory":            "java.lang.OutOfMemoryError: Java heap space",
		"java-hook":              "java.io.IOException: disk is full",
		"node-error":             "Error: could not read users",
		"node-causes":            "RangeError: deep",
		"node-aggregate":         "AggregateError: many",
		"node-string":            "a string",
		"node-own-name":          "QuotaExceeded: daily quota",
		"node-module":            "Error: Cannot find module './nope'; Require stack: - /app/e.js",
		"node-package":           "Error [ERR_MODULE_NOT_FOUND]: Cannot find package 'nope' imported from /app/i.mjs",
		"node-syntax":            "SyntaxError: Function statements require a function name",
		"node-file":              "Error: ENOENT: no such file or directory, open '/nope'",
		"node-memory":            "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory",
		"node-rejection": "UnhandledPromiseRejection: This error originated either by throwing inside of an async function without a catch block, or by " +
			`rejecting a promise which was not handled with .catch(). The promise rejected with the reason "plain reason".`,
		"go-panic":           "panic: boom",
		"go-error":           "panic: read users: connection refused",
		"go-many-lines":      "panic: line one; line two",
		"go-nil":             "panic: runtime error: invalid memory address or nil pointer dereference",
		"go-again":           "panic: first [recovered]; panic: again: first",
		"go-rethrown":        "panic: first [recovered, repanicked]",
		"go-deadlock":        "fatal error: all goroutines are asleep - deadlock!",
		"go-map":             "fatal error: concurrent map writes",
		"go-stack":           "fatal error: stack overflow",
		"go-many-goroutines": "panic: with many",
		"rust-panic":         "thread 'main' (2500) panicked at a.rs:5:16: boom",
		"rust-many-lines":    "thread 'main' (2502) panicked at a.rs:6:16: line one; line two",
		"rust-assert":        "thread 'main' (2548) panicked at a.rs:11:13: assertion `left == right` failed: numbers differ; left: 1; right: 2",
		"rust-thread":        "thread 'worker' (2531) panicked at a.rs:10:78: in thread",
		"rust-error":         `Error: Os { code: 2, kind: NotFound, message: "No such file or directory" }`,
		"rust-unwrap": "thread 'main' (2508) panicked at a.rs:7:39: called `Result::unwrap()` on an `Err` value: " +
			`Os { code: 2, kind: NotFound, message: "No such file or directory" }`,
	} {
		t.Run(name, func(t *testing.T) {
			transcript := read(t, name+".txt")
			const before = "2024-05-01 10:11:12 INFO reading users\nWARN slow\n"
			for how, add := range map[string]func(*Tail){
				"at once":         func(t *Tail) { t.Add(before+transcript, false) },
				"line by line":    func(t *Tail) { addLines(t, before+transcript) },
				"no blank lines":  func(t *Tail) { addLines(t, strings.ReplaceAll(before+transcript, "\n\n", "\n")) },
				"carriage return": func(t *Tail) { addLines(t, strings.ReplaceAll(before+transcript, "\n", "\r\n")) },
				"a log message":   func(t *Tail) { t.AddMessage("sync failed\n"+transcript, true); t.AddMessage("Finished", false) },
				"before stderr":   func(t *Tail) { t.AddMessage("sync failed\n"+transcript, true); t.Add("nothing of it", false) },
			} {
				var tail Tail
				if add(&tail); tail.Cause() != want {
					t.Errorf("%s: got %q\nwant %q", how, tail.Cause(), want)
				}
			}
		})
	}
}

func addLines(t *Tail, text string) {
	for line := range strings.Lines(text) {
		t.Add(strings.TrimSuffix(line, "\n"), false)
	}
}

// Lines that are the cause by themselves: of shells, loaders, runtimes and command lines.
func TestLineIsTheCause(t *testing.T) {
	for _, line := range []string{
		"sh: 1: nope: not found",
		"ex.sh: 1: exec: nope: not found",
		"sh: 0: cannot open ./nope.sh: No such file",
		`sh: 1: Syntax error: end of file unexpected (expecting ")")`,
		"sh: 1: ./elf: Exec format error",
		"bash: line 1: nope: command not found",
		"bash: line 1: ./bad: cannot execute: required file not found",
		"bash: line 1: ./elf: cannot execute binary file: Exec format error",
		"bash: line 1: ./noexec: Permission denied",
		"bash: -c: line 2: syntax error: unexpected end of file",
		"/bin/sh: nope: not found",
		"env: ‘nope’: No such file or directory",
		`exec: "nope": executable file not found in $PATH`,
		"exec /app/main: exec format error",
		"/usr/local/bin/python3: No module named nope",
		"python3: can't open file '/nope.py': [Errno 2] No such file or directory",
		"./x: error while loading shared libraries: libpq.so.5: cannot open shared object file: No such file or directory",
		"Error: Unable to access jarfile nope.jar",
		"Terminating due to java.lang.OutOfMemoryError: Java heap space",
		"fatal: repository 'x' does not exist",
		"TerrorError",
	} {
		var tail Tail
		addLines(&tail, "INFO started\n"+line+"\nINFO ended\n")
		if got := tail.Cause(); got != line {
			t.Errorf("got  %q\nwant %q", got, line)
		}
	}
}

func TestCause(t *testing.T) {
	const traceback = "Traceback (most recent call last):\n  File \"/app/a.py\", line 1, in f\n    f()\nKeyError: 'id'\n"
	for _, test := range []struct{ name, output, want string }{
		{"nothing", "", ""},
		{"progress", "reading users\n50%\n100%\n", ""},
		{"logs", "INFO started\nWARNING: slow\nINFO: optional file: not found\n", ""},
		{"python, runtime", "Fatal Python error: init_fs_encoding: failed to get the Python codec of the filesystem encoding\n" +
			"Python runtime state: core initialized\nModuleNotFoundError: No module named 'encodings'\n\nCurrent thread 0x00007efdf3878b80:\n",
			"Fatal Python error: init_fs_encoding: failed to get the Python codec of the filesystem encoding"},
		{"java, class", "Error: Could not find or load main class Nope\nCaused by: java.lang.ClassNotFoundException: Nope\n",
			"java.lang.ClassNotFoundException: Nope"},
		{"java, memory", "Error occurred during initialization of VM\nCould not reserve enough space for 104856551424KB object heap\n",
			"Error occurred during initialization of VM; Could not reserve enough space for 104856551424KB object heap"},
		{"java, an own name", "12:00 ERROR failed\ncom.example.Boom: no\n\tat com.example.A.main(A.java:1)\n", "com.example.Boom: no"},
		{"c++", "terminate called after throwing an instance of 'std::runtime_error'\n  what():  boom\n",
			"terminate called after throwing an instance of 'std::runtime_error'; what():  boom"},
		{".net", "Unhandled exception. System.IO.IOException: disk full\n   at Program.Main() in /app/Program.cs:line 3\n",
			"System.IO.IOException: disk full"},
		{"anyhow", "Error: could not open the config\n\nCaused by:\n    0: could not read /nope\n    1: No such file or directory (os error 2)\n",
			"Error: could not open the config; could not read /nope; No such file or directory (os error 2)"},
		{"click", "Usage: cli [OPTIONS]\nTry 'cli --help' for help.\n\nError: No such option: --foo\n", "Error: No such option: --foo"},
		{"usage only", "usage: main.py read [-h]\n  --config\nread 5 rows\n", ""},
		{"cobra", "Error: unknown flag: --foo\nUsage:\n  app read [flags]\n", "Error: unknown flag: --foo"},
		{"the last of two", traceback + "INFO again\n" + strings.ReplaceAll(traceback, "KeyError: 'id'", "ValueError: x"), "ValueError: x"},
		{"an error after an exception", traceback + "sh: 1: nope: not found\n", "KeyError: 'id'"},
		{"an error long after an exception", traceback + strings.Repeat("INFO read 1000 rows\n", near+1) + "sh: 1: nope: not found\n",
			"sh: 1: nope: not found"},
		{"an exception after a crash", "panic: boom\n" + traceback, "panic: boom"},
		{"an exception long after a crash", "panic: boom\n" + strings.Repeat("INFO read 1000 rows\n", near+1) + traceback, "KeyError: 'id'"},
		{"lines between frames",
			"Traceback (most recent call last):\n  File \"/app/a.py\", line 1\nINFO another thread\n[2024] also\n    f()\nKeyError: 'id'\n", "KeyError: 'id'"},
		{"a log after an exception", traceback + "2024-05-01 INFO done\n{\"a\":1}\n", "KeyError: 'id'"},
		{"logging failed", "--- Logging error ---\n" + traceback + "Call stack:\n  File \"/app/a.py\", line 1\nMessage: 'x'\n", ""},
		{"exit handler", "ConnectionError: refused\nError in atexit._run_exitfuncs:\n" + traceback, "ConnectionError: refused"},
		{"an unfinished traceback", "Traceback (most recent call last):\n  File \"/app/a.py\", line 1\n", ""},
		{"chain without beginning", "The above exception was the direct cause of the following exception:\n\n" + traceback, "KeyError: 'id'"},
		{"a program's error, then more", "sh: 1: nope: not found\nretrying\n  soon\n", "sh: 1: nope: not found"},
		{"a time with indentation", "reading users\n  at 10:15\n", ""},
		{"prose with indentation", "reading users\n  at 10 rows per second\nreading orders\n  more\n", ""},
		{"only carets", "^^^^\n", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			var tail Tail
			if addLines(&tail, test.output); tail.Cause() != test.want {
				t.Errorf("got  %q\nwant %q", tail.Cause(), test.want)
			}
		})
	}
}

func TestLogMessages(t *testing.T) {
	type log struct {
		text   string
		failed bool
	}
	const traceback = "could not read\nTraceback (most recent call last):\n  File \"/app/a.py\", line 1, in f\nKeyError: 'id'"
	for _, test := range []struct {
		name string
		logs []log
		want string
	}{
		{"an error", []log{{"started", false}, {"cannot connect to db.example:5432", true}, {"bye", false}}, "cannot connect to db.example:5432"},
		{"an error of several lines", []log{{"cannot connect:\n  no route to host\n  gave up", true}, {"bye", false}},
			"cannot connect: no route to host; gave up"},
		{"the last error", []log{{"attempt 1 failed", true}, {"attempt 2 failed", true}}, "attempt 2 failed"},
		{"an error with a traceback", []log{{traceback, true}, {"Marking stream users as STOPPED", false}, {"sync failed", true}}, "KeyError: 'id'"},
		{"a warning with a traceback", []log{{traceback, false}, {"giving up", true}}, "KeyError: 'id'"},
		{"an error of syntax later", []log{{"Call stack:\n  File \"a.py\", line 1\nMessage", false}, {"SyntaxError: in the query", true}},
			"SyntaxError: in the query"},
		{"information", []log{{"Read 5 records", false}, {"Error rate: 0", false}}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			var tail Tail
			for _, l := range test.logs {
				tail.AddMessage(l.text, l.failed)
			}
			if got := tail.Cause(); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// An error that was logged as a line of stderr does not swallow the next line.
func TestErrorLines(t *testing.T) {
	var tail Tail
	tail.Add("ERROR:airbyte:giving up\n  after 3 attempts", true)
	tail.Add("bye", false)
	if got, want := tail.Cause(), "ERROR:airbyte:giving up; after 3 attempts"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestLastLine(t *testing.T) {
	for output, want := range map[string]string{
		"":                               "",
		"cannot connect to the server\n": "cannot connect to the server",
		"reading\nboom at -e line 1.\n\n  detail\nexit status 1\n}\n": "boom at -e line 1.",
		"2026/11/25 23:31:59 cannot connect to db: refused\n":         "2026/11/25 23:31:59 cannot connect to db: refused",
	} {
		var tail Tail
		if addLines(&tail, output); tail.LastLine() != want {
			t.Errorf("last line of %q = %q, want %q", output, tail.LastLine(), want)
		}
	}
}

// TestOtherRuntimes: what no transcript was recorded of, from the runtimes' own sources and from reports.
func TestOtherRuntimes(t *testing.T) {
	for text, want := range map[string]string{
		"ValueError: bad date\nsys:1: ResourceWarning: unclosed file <_io.TextIOWrapper name=3>": "ValueError: bad date",
		"ValueError: bad date\n/usr/lib/python3.11/multiprocessing/resource_tracker.py:224: UserWarning: resource_tracker: There appear to be 1 leaked\n" +
			"  warnings.warn('resource_tracker: There appear to be %d '": "ValueError: bad date",
		"ValueError: two\nWarning: not of Python": "ValueError: two; Warning: not of Python",
		"/app/main.rb:3:in `<main>': undefined method `foo' for nil:NilClass (NoMethodError)\n\nputs nil.foo\n        ^^^^": "/app/main.rb:3:in " +
			"`<main>': undefined method `foo' for nil:NilClass (NoMethodError)",
		"/app/a.rb:1:in 'connect': no connection (Errno::ECONNREFUSED)\n\tfrom /app/b.rb:2:in 'read'": "/app/a.rb:1:in 'connect': no connection " +
			"(Errno::ECONNREFUSED)",
		"read 3 rows :in all (IO)":                                  "",
		"/app/a.rb:1:in 'x': refused (Net::TimeoutError)\n\tfrom b": "/app/a.rb:1:in 'x': refused (Net::TimeoutError)",
		"PHP Fatal error:  Uncaught Exception: no access in /app/x.php:3\nStack trace:\n#0 {main}\n  thrown in /app/x.php on line 3": "PHP Fatal error:  " +
			"Uncaught Exception: no access in /app/x.php:3",
		"/lib/libc.so.6: version `GLIBC_2.34' not found (required by ./source)": "/lib/libc.so.6: version `GLIBC_2.34' not found (required by ./source)",
	} {
		var tail Tail
		tail.Add(text, false)
		if got := tail.Cause(); got != want {
			t.Errorf("%q\n got %q\nwant %q", text, got, want)
		}
	}
}
