package session

import (
	"strings"
	"testing"

	"sync-sidecar/sidecar"
)

// TestConnectorsThatSayLittle end with exit code 0 and neither rows nor statuses. A full refresh is emptied only when nothing speaks against it.
func TestConnectorsThatSayLittle(t *testing.T) {
	t.Parallel()
	log := func(level, text string) string {
		return `{"type":"LOG","log":{"level":"` + level + `","message":"` + text + `"}}`
	}
	for name, c := range map[string]struct {
		mode  sidecar.Mode
		lines []string
		exit  int
		want  sidecar.Status
		words string // in the cause, or in a warning of a success
	}{
		"a FATAL line and a full refresh": {sidecar.ReplaceWhole, []string{log("FATAL", "no such account")}, 0, sidecar.StatusFailed,
			"no such account"},
		"a FATAL line and an incremental stream": {sidecar.Append, []string{log("FATAL", "no such account")}, 0, sidecar.StatusFailed, "no such account"},
		"a FATAL line and exit code 1":           {sidecar.Append, []string{log("FATAL", "no such account")}, 1, sidecar.StatusFailed, "no such account"},
		"a FATAL line among rows": {sidecar.ReplaceWhole, []string{row("users"), log("FATAL", "cut off")}, 0, sidecar.StatusFailed,
			"cut off"},
		"a FATAL line before COMPLETE": {sidecar.ReplaceWhole, []string{log("FATAL", "odd"), row("users"), status("users", "COMPLETE")}, 0,
			sidecar.StatusSuccess, ""},
		"an ERROR line alone": {sidecar.ReplaceWhole, []string{log("ERROR", "cannot connect"), log("ERROR", "sorry")}, 0, sidecar.StatusFailed,
			"cannot connect"},
		"an ERROR line among rows": {sidecar.ReplaceWhole, []string{row("users"), log("ERROR", "one page was skipped")}, 0, sidecar.StatusSuccess, ""},
		"an ERROR line and a state": {sidecar.Append, []string{log("ERROR", "one page was skipped"), stateOf("users", 1)}, 0, sidecar.StatusSuccess,
			""},
		"an ERROR line and a status": {sidecar.ReplaceWhole, []string{log("ERROR", "one try failed"), status("users", "COMPLETE")}, 0,
			sidecar.StatusSuccess, "not a single row"},
		"an INFO line": {sidecar.ReplaceWhole, []string{log("INFO", "done")}, 0, sidecar.StatusSuccess, "nothing to read"},
		"a Singer tap": {sidecar.ReplaceFirst, []string{`{"type":"SCHEMA","stream":"users","schema":{},"key_properties":["id"]}`,
			`{"type":"RECORD","stream":"users","record":{"id":1}}`}, 0, sidecar.StatusFailed, "is this a Singer tap"},
		"nothing, and an incremental stream":    {sidecar.Append, nil, 0, sidecar.StatusSuccess, "nothing new"},
		"nothing, and a first incremental read": {sidecar.ReplaceFirst, nil, 0, sidecar.StatusFailed, "AIRBYTE_ENTRYPOINT"},
		"nothing, and a full refresh":           {sidecar.ReplaceWhole, nil, 0, sidecar.StatusFailed, "AIRBYTE_ENTRYPOINT"},
		"nothing, and exit code 1":              {sidecar.Append, nil, 1, sidecar.StatusFailed, "code 1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, "users")
			r.config.Streams[0].Mode = c.mode
			r.hold("users", 7)
			r.start()
			if len(c.lines) > 0 {
				r.say(c.lines...)
			}
			report := r.exit(c.exit).hangUp().end()
			if text := report.Cause + strings.Join(report.Warnings, ""); report.Status != c.want || !strings.Contains(text, c.words) {
				t.Errorf("%s: %s %q", report.Status, report.Cause, report.Warnings)
			}
			if c.want == sidecar.StatusFailed && r.table("users") != 7 {
				t.Errorf("the table has %d rows", r.table("users"))
			}
		})
	}
}
