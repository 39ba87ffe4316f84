// Package report writes the result of a smoke test for those who read it: a person at a terminal, a CI server (JUnit), a pull request (Markdown,
// GitHub's annotations), another program (JSON). It decides nothing.
package report

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"strings"

	"sync-sidecar/runner/smoke"
	"sync-sidecar/sidecar/printable"
)

// Verdict is the whole result in a line.
func Verdict(r smoke.Result) string {
	word := map[smoke.Status]string{smoke.Pass: "passed", smoke.Warn: "passed, with warnings", smoke.Fail: "FAILED"}[r.Status]
	return fmt.Sprintf("%s %s: %d checks passed, %d warned, %d failed, %d skipped; %.1f s", r.Connector, word, r.Count(smoke.Pass), r.Count(smoke.Warn),
		r.Count(smoke.Fail), r.Count(smoke.Skip), r.Seconds)
}

// visible is a text from outside on one line.
func visible(text string) string { return printable.Line(text) }

// Text writes it for a terminal: what failed and what is worth a look in full, what passed and was skipped where all is asked for.
func Text(w io.Writer, r smoke.Result, all bool) error {
	var text strings.Builder
	for _, check := range r.Checks {
		if !all && (check.Status == smoke.Pass || check.Status == smoke.Skip) {
			continue
		}
		fmt.Fprintf(&text, "%-4s  %-22s %s\n", strings.ToUpper(string(check.Status)), check.ID, plain(check.Claim))
		for _, evidence := range check.Evidence {
			fmt.Fprintf(&text, "      %s\n", visible(evidence))
		}
		if check.Status == smoke.Fail || check.Status == smoke.Warn {
			fmt.Fprintf(&text, "      why it matters: %s\n      what to do: %s\n", plain(check.Why), plain(check.Do))
		}
	}
	fmt.Fprintln(&text, visible(Verdict(r)))
	_, err := io.WriteString(w, text.String())
	return err
}

// plain is a text of ours without Markdown.
func plain(text string) string { return strings.ReplaceAll(text, "`", "") }

// JSON writes it for a program.
func JSON(w io.Writer, r smoke.Result) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("write the result: %w", err)
	}
	_, err = w.Write(append(printable.JSON(text), '\n'))
	return err
}

type junitSuites struct {
	XMLName  xml.Name     `xml:"testsuites"`
	Tests    int          `xml:"tests,attr"`
	Failures int          `xml:"failures,attr"`
	Skipped  int          `xml:"skipped,attr"`
	Time     string       `xml:"time,attr"`
	Suites   []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name      string      `xml:"name,attr"`
	Tests     int         `xml:"tests,attr"`
	Failures  int         `xml:"failures,attr"`
	Errors    int         `xml:"errors,attr"`
	Skipped   int         `xml:"skipped,attr"`
	Time      string      `xml:"time,attr"`
	Timestamp string      `xml:"timestamp,attr"`
	Cases     []junitCase `xml:"testcase"`
}

type junitCase struct {
	Class   string        `xml:"classname,attr"`
	Name    string        `xml:"name,attr"`
	Time    string        `xml:"time,attr"`
	Failure *junitFailure `xml:"failure,omitempty"`
	Skipped *junitSkipped `xml:"skipped,omitempty"`
	Output  string        `xml:"system-out,omitempty"`
}

type junitFailure struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr"`
	Text    string `xml:",chardata"`
}

type junitSkipped struct {
	Message string `xml:"message,attr"`
}

// JUnit writes a testcase for each check, as the JUnit schema that Jenkins and GitLab read has it. A warning passes, with its evidence as output.
func JUnit(w io.Writer, r smoke.Result) error {
	seconds := fmt.Sprintf("%.3f", r.Seconds)
	suite := junitSuite{Name: "smoke test of " + visible(r.Connector), Tests: len(r.Checks), Failures: r.Count(smoke.Fail), Skipped: r.Count(smoke.Skip),
		Time: seconds, Timestamp: r.StartedAt.Format("2006-01-02T15:04:05")}
	for _, check := range r.Checks {
		one := junitCase{Class: "smoke." + group(check.ID), Name: check.ID, Time: "0"}
		evidence := visible(strings.Join(check.Evidence, "; "))
		switch check.Status {
		case smoke.Fail:
			one.Failure = &junitFailure{Message: plain(check.Claim) + ": " + evidence, Type: check.ID,
				Text: fmt.Sprintf("%s\nwhy it matters: %s\nwhat to do: %s\n", evidence, plain(check.Why), plain(check.Do))}
		case smoke.Skip:
			one.Skipped = &junitSkipped{Message: evidence}
		case smoke.Warn:
			one.Output = fmt.Sprintf("warning: %s: %s\nwhat to do: %s\n", plain(check.Claim), evidence, plain(check.Do))
		case smoke.Pass:
			one.Output = evidence
		}
		suite.Cases = append(suite.Cases, one)
	}
	text, err := xml.MarshalIndent(junitSuites{Tests: suite.Tests, Failures: suite.Failures, Skipped: suite.Skipped, Time: seconds,
		Suites: []junitSuite{suite}}, "", "  ")
	if err != nil {
		return fmt.Errorf("write the JUnit file: %w", err)
	}
	_, err = io.WriteString(w, xml.Header+string(text)+"\n")
	return err
}

func group(id string) string {
	before, _, _ := strings.Cut(id, ".")
	return before
}

// cell is a text in a table of Markdown, where HTML and its marks mean something.
func cell(text string) string {
	return strings.NewReplacer("|", `\|`, "<", "&lt;", ">", "&gt;", "`", "'", "*", `\*`, "_", `\_`, "[", `\[`, "]", `\]`, "#", `\#`, "@", "&#64;").
		Replace(visible(text))
}

// Markdown writes a summary for a pull request, or $GITHUB_STEP_SUMMARY.
func Markdown(w io.Writer, r smoke.Result) error {
	var text strings.Builder
	mark := map[smoke.Status]string{smoke.Pass: "✅", smoke.Warn: "⚠️", smoke.Fail: "❌", smoke.Skip: "➖"}
	fmt.Fprintf(&text, "## %s Smoke test of %s\n\n%s\n", mark[r.Status], cell(r.Connector), cell(Verdict(r)))
	for _, status := range []smoke.Status{smoke.Fail, smoke.Warn} {
		if r.Count(status) == 0 {
			continue
		}
		fmt.Fprintf(&text, "\n| | check | what was seen | what to do |\n|---|---|---|---|\n")
		for _, check := range r.Checks {
			if check.Status == status {
				evidence := make([]string, len(check.Evidence))
				for i, one := range check.Evidence {
					evidence[i] = cell(one)
				}
				fmt.Fprintf(&text, "| %s | **%s**<br>%s | %s | %s |\n", mark[status], check.ID, cell(plain(check.Claim)), strings.Join(evidence, "<br>"),
					cell(plain(check.Do)))
			}
		}
	}
	fmt.Fprintf(&text, "\n<details><summary>%d streams, %d commands, every check</summary>\n\n", len(r.Streams), len(r.Steps))
	fmt.Fprint(&text, "| command | records | states | seconds | end |\n|---|--:|--:|--:|---|\n")
	for _, step := range r.Steps {
		fmt.Fprintf(&text, "| %s | %d | %d | %.1f | %s |\n", step.Name, step.Records, step.States, step.Seconds, cell(step.End))
	}
	fmt.Fprint(&text, "\n| | check | what was seen |\n|---|---|---|\n")
	for _, check := range r.Checks {
		fmt.Fprintf(&text, "| %s | %s | %s |\n", mark[check.Status], check.ID, cell(strings.Join(check.Evidence, "; ")))
	}
	fmt.Fprint(&text, "\n</details>\n")
	_, err := io.WriteString(w, text.String())
	return err
}

// Annotations writes workflow commands of GitHub Actions, which shows them beside the run ("Workflow commands for GitHub Actions").
func Annotations(w io.Writer, r smoke.Result) error {
	value := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	property := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
	var text strings.Builder
	for _, check := range r.Checks {
		command := map[smoke.Status]string{smoke.Fail: "error", smoke.Warn: "warning"}[check.Status]
		if command == "" {
			continue
		}
		message := fmt.Sprintf("%s: %s\n%s", plain(check.Claim), visible(strings.Join(check.Evidence, "; ")), plain(check.Do))
		fmt.Fprintf(&text, "::%s title=%s::%s\n", command, property.Replace("smoke "+check.ID), value.Replace(message))
	}
	_, err := io.WriteString(w, text.String())
	return err
}
