package report

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"strings"
	"testing"
	"time"

	"sync-sidecar/runner/smoke"
)

const nasty = "a\x1b[2J|<b>`x` @all %0A\x00 ]]> &"

func result() smoke.Result {
	return smoke.Result{Connector: "my/connector", StartedAt: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Seconds: 12.345, Status: smoke.Fail,
		Checks: []smoke.Check{
			{ID: "spec.exit", Status: smoke.Pass, Claim: "`spec` ends with exit code 0", Why: "because", Do: "this"},
			{ID: "read.schema", Status: smoke.Fail, Claim: "each record fits", Evidence: []string{"stream \"s\": field x", nasty}, Why: "why",
				Do: "do, this: that"},
			{ID: "read.stdout", Status: smoke.Warn, Claim: "everything is a message", Evidence: []string{nasty}, Why: "why", Do: "do"},
			{ID: "image.platform", Status: smoke.Skip, Claim: "the image", Evidence: []string{"the connector is no image"}, Why: "why", Do: "do"},
		},
		Steps: []smoke.Step{{Name: "read", Command: "read", Seconds: 1.5, Records: 10, States: 2, End: "exit code 0"}}}
}

func TestJUnit(t *testing.T) {
	t.Parallel()
	var text bytes.Buffer
	if err := JUnit(&text, result()); err != nil {
		t.Fatal(err)
	}
	var parsed junitSuites
	if err := xml.Unmarshal(text.Bytes(), &parsed); err != nil {
		t.Fatalf("%v: %s", err, text.String())
	}
	if parsed.Tests != 4 || parsed.Failures != 1 || parsed.Skipped != 1 || len(parsed.Suites) != 1 || len(parsed.Suites[0].Cases) != 4 {
		t.Errorf("%+v", parsed)
	}
	cases := parsed.Suites[0].Cases
	if cases[1].Class != "smoke.read" || cases[1].Name != "read.schema" || cases[1].Failure == nil || cases[1].Failure.Type != "read.schema" ||
		!strings.Contains(cases[1].Failure.Text, "what to do: do, this: that") || cases[0].Failure != nil || cases[3].Skipped == nil ||
		cases[2].Failure != nil ||
		!strings.Contains(cases[2].Output, "warning") {
		t.Errorf("%+v", cases)
	}
	if strings.ContainsAny(text.String(), "\x1b\x00") {
		t.Error("control characters reached the file")
	}
}

func TestMarkdown(t *testing.T) {
	t.Parallel()
	var text bytes.Buffer
	if err := Markdown(&text, result()); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"## ❌ Smoke test of my/connector", "| ❌ | **read.schema**<br>each record fits |", "| ⚠️ | **read.stdout**",
		"| ➖ | image.platform |",
		"| read | 10 | 2 | 1.5 | exit code 0 |"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("lacks %q:\n%s", want, text.String())
		}
	}
	for line := range strings.Lines(text.String()) {
		if strings.Contains(line, "<b>") || strings.Contains(line, "@all") || strings.Contains(line, "\x1b") {
			t.Errorf("a name from outside means something here: %s", line)
		}
	}
}

func TestAnnotations(t *testing.T) {
	t.Parallel()
	var text bytes.Buffer
	if err := Annotations(&text, result()); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(text.String()), "\n")
	if len(lines) != 2 || !strings.HasPrefix(lines[0], "::error title=smoke read.schema::each record fits: ") || !strings.HasPrefix(lines[1],
		"::warning title=smoke read.stdout::") ||
		!strings.Contains(lines[0], "%0Ado, this: that") || !strings.Contains(lines[0], "%250A") {
		t.Errorf("%q", lines)
	}
}

func TestTextAndJSON(t *testing.T) {
	t.Parallel()
	var brief, all, document bytes.Buffer
	if err := Text(&brief, result(), false); err != nil {
		t.Fatal(err)
	}
	if err := Text(&all, result(), true); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(brief.String(), "spec.exit") || !strings.Contains(brief.String(), "FAIL  read.schema") || !strings.Contains(all.String(),
		"PASS  spec.exit") ||
		!strings.HasSuffix(brief.String(), "my/connector FAILED: 1 checks passed, 1 warned, 1 failed, 1 skipped; 12.3 s\n") ||
		strings.Contains(all.String(), "\x1b") {
		t.Errorf("%s\n%s", brief.String(), all.String())
	}
	if err := JSON(&document, result()); err != nil {
		t.Fatal(err)
	}
	var parsed smoke.Result
	if err := json.Unmarshal(document.Bytes(), &parsed); err != nil || len(parsed.Checks) != 4 || parsed.Status != smoke.Fail {
		t.Errorf("%v: %s", err, document.String())
	}
}
