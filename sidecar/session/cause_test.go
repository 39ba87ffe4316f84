package session

import (
	"io"
	"strings"
	"testing"

	"sync-sidecar/sidecar"
)

// TestCauseIsTheConnectorsOwn has connectors that fail as real ones do: the report says why, not that something went wrong.
func TestCauseIsTheConnectorsOwn(t *testing.T) {
	t.Parallel()
	const traceback = "Traceback (most recent call last):\n  File \"/airbyte/main.py\", line 3, in <module>\n    import source_x\n" +
		"ModuleNotFoundError: No module named 'source_x'\n"
	const missing = "ModuleNotFoundError: No module named 'source_x'"
	const usage = "usage: main.py [-h] {spec,check,discover,read} ...\nmain.py: error: unrecognized arguments: --stat /x\n"
	generic := `{"type":"TRACE","trace":{"type":"ERROR","emitted_at":1,"error":{` +
		`"message":"Something went wrong in the connector. See the logs for more details.",` +
		`"internal_message":"KeyError: 'account_id'","failure_type":"system_error"}}}`
	for name, c := range map[string]struct {
		stderr string
		lines  []string
		exit   int
		want   []string
		not    string
	}{
		"a traceback":                     {traceback, nil, 1, []string{"exited with code 1", missing}, "AIRBYTE_ENTRYPOINT"},
		"a usage error":                   {usage, nil, 2, []string{"exited with code 2", "unrecognized arguments: --stat /x"}, "AIRBYTE_ENTRYPOINT"},
		"a traceback after rows":          {traceback, []string{row("users")}, 1, []string{"exited with code 1", "ModuleNotFoundError"}, ""},
		"a generic sentence":              {"", []string{row("users"), generic}, 1, []string{"KeyError: 'account_id'"}, "See the logs"},
		"a TRACE goes before a traceback": {traceback, []string{generic}, 1, []string{"KeyError: 'account_id'"}, "ModuleNotFoundError"},
		"words, and exit code 0": {"sh: 1: python: not found\n", nil, 0,
			[]string{"without a single Airbyte message", "python: not found", "AIRBYTE_ENTRYPOINT"}, ""},
		"not a word, and exit code 0":  {"", nil, 0, []string{"AIRBYTE_ENTRYPOINT"}, ""},
		"a traceback that did no harm": {traceback, []string{row("users"), status("users", "COMPLETE")}, 0, nil, "ModuleNotFoundError"},
		"a secret in the traceback's error": {"Traceback (most recent call last):\n  File \"x\"\nValueError: bad token hunter2\n", nil, 1,
			[]string{"ValueError: bad token ***"}, "hunter2"},
	} {
		for _, command := range []sidecar.Command{sidecar.CommandRead, sidecar.CommandCheck} {
			t.Run(name+"/"+string(command), func(t *testing.T) {
				t.Parallel()
				r := newRig(t, "users")
				r.config.Command = command
				r.start()
				if _, err := io.WriteString(r.stderr, c.stderr); err != nil {
					t.Fatal(err)
				}
				if len(c.lines) > 0 {
					r.say(c.lines...)
				}
				report := r.exit(c.exit).hangUp().end()
				if command == sidecar.CommandCheck && len(c.lines) > 0 && c.exit == 0 {
					return // rows are no answer
				}
				for _, want := range c.want {
					if !strings.Contains(report.Cause, want) {
						t.Errorf("the cause lacks %q: %s", want, report.Cause)
					}
				}
				if c.not != "" && strings.Contains(report.Cause, c.not) {
					t.Errorf("the cause has %q: %s", c.not, report.Cause)
				}
			})
		}
	}
}

// TestFilesAreRefused: a record that stands for a file has no data to deliver. The stream fails before its table is touched.
func TestFilesAreRefused(t *testing.T) {
	t.Parallel()
	for _, mode := range []sidecar.Mode{sidecar.Append, sidecar.ReplaceFirst, sidecar.ReplaceWhole} {
		r := newRig(t, "files", "users")
		r.config.Streams[0].Mode = mode
		r.hold("files", 7)
		r.start().say(`{"type":"RECORD","record":{"stream":"files","data":{},"file_reference":{"staging_file_url":"/tmp/a",`+
			`"source_file_relative_path":"a","file_size_bytes":3},"emitted_at":1}}`, status("files", "COMPLETE"), row("users"), status("users", "COMPLETE"))
		report := r.exit(0).hangUp().end()
		if report.Status != sidecar.StatusPartial || !strings.Contains(report.Streams[0].Error, "files") || r.table("files") != 7 || r.table("users") != 1 {
			t.Errorf("mode %d: %s: %+v; files %d, users %d", mode, report.Status, report.Streams, r.table("files"), r.table("users"))
		}
	}
}

// TestAnswersThatAreTooLong says what to do, instead of asking whether the command is right.
func TestAnswersThatAreTooLong(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 4000)
	for command, line := range map[sidecar.Command]string{
		sidecar.CommandSpec:     `{"type":"SPEC","spec":{"connectionSpecification":{"title":"` + long + `"}}}`,
		sidecar.CommandDiscover: `{"type":"CATALOG","catalog":{"streams":[{"name":"` + long + `"}]}}`,
	} {
		r := newRig(t)
		r.config.Command, r.config.MaxLineBytes = command, 2048
		report := r.start().say(line).exit(0).hangUp().end()
		if report.Status != sidecar.StatusFailed || !strings.Contains(report.Cause, "MAX_LINE_BYTES (2048)") {
			t.Errorf("%s: %s: %s; %+v", command, report.Status, report.Cause, report)
		}
	}
}

// TestDamageThatIsNoAnswer: a line of another type is not why there is no answer.
func TestDamageThatIsNoAnswer(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.config.Command, r.config.MaxLineBytes = sidecar.CommandDiscover, 2048
	report := r.start().say(`{"type":"LOG","log":{"level":"INFO","message":"` + strings.Repeat("x", 4000) + `"}}`).exit(0).hangUp().end()
	if report.Status != sidecar.StatusFailed || strings.Contains(report.Cause, "MAX_LINE_BYTES") {
		t.Errorf("%s: %s", report.Status, report.Cause)
	}
}

// TestAnswersThatContradictEachOther: the first one is taken, and that is said.
func TestAnswersThatContradictEachOther(t *testing.T) {
	t.Parallel()
	catalog := func(stream string) string {
		return `{"type":"CATALOG","catalog":{"streams":[{"name":"` + stream + `"}]}}`
	}
	check := func(status string) string {
		return `{"type":"CONNECTION_STATUS","connectionStatus":{"status":"` + status + `","message":"because"}}`
	}
	for name, c := range map[string]struct {
		command sidecar.Command
		lines   []string
		exit    int
		status  sidecar.Status
		warning string
	}{
		"two catalogs":             {sidecar.CommandDiscover, []string{catalog("a"), catalog("b")}, 0, sidecar.StatusSuccess, "2 answers that differ"},
		"the same twice":           {sidecar.CommandDiscover, []string{catalog("a"), catalog("a")}, 0, sidecar.StatusSuccess, ""},
		"yes, and then no":         {sidecar.CommandCheck, []string{check("SUCCEEDED"), check("FAILED")}, 0, sidecar.StatusSuccess, "2 answers"},
		"no, and then yes":         {sidecar.CommandCheck, []string{check("FAILED"), check("SUCCEEDED")}, 0, sidecar.StatusFailed, "2 answers"},
		"an answer and a bad exit": {sidecar.CommandDiscover, []string{catalog("a")}, 1, sidecar.StatusSuccess, "exited with code 1"},
	} {
		r := newRig(t)
		r.config.Command = c.command
		report := r.start().say(c.lines...).exit(c.exit).hangUp().end()
		warnings := strings.Join(report.Warnings, "\n")
		if report.Status != c.status || !strings.Contains(warnings, c.warning) || c.warning == "" && warnings != "" {
			t.Errorf("%s: %s, warnings %q", name, report.Status, report.Warnings)
		}
	}
}

// TestRefusalsWithoutAReason: the reason is what the connector says elsewhere.
func TestRefusalsWithoutAReason(t *testing.T) {
	t.Parallel()
	const refused = `{"type":"CONNECTION_STATUS","connectionStatus":{"status":"FAILED"}}`
	for name, c := range map[string]struct {
		lines []string
		want  string
	}{
		"a message":        {[]string{`odd`, strings.Replace(refused, `"FAILED"`, `"FAILED","message":"no access"`, 1)}, "no access"},
		"an error trace":   {[]string{`{"type":"TRACE","trace":{"type":"ERROR","error":{"message":"no access"}}}`, refused}, "no access"},
		"an ERROR line":    {[]string{`{"type":"LOG","log":{"level":"ERROR","message":"no access"}}`, refused, `bye`}, "it said: no access"},
		"some other words": {[]string{`2024/01/02 03:04:05 no access`, refused}, "no reason; it said: 2024/01/02 03:04:05 no access"},
		"not a word":       {[]string{refused}, "the connector gave no reason"},
	} {
		r := newRig(t)
		r.config.Command = sidecar.CommandCheck
		report := r.start().say(c.lines...).exit(0).hangUp().end()
		if report.ExitCode != sidecar.ExitCheckFailed || !strings.HasSuffix(report.Cause, c.want) {
			t.Errorf("%s: exit code %d, %q", name, report.ExitCode, report.Cause)
		}
	}
}
