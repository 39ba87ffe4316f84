package smoke

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
)

// update writes the table of checks anew: go test ./runner/smoke -run TestDocs -update
var update = flag.Bool("update", false, "write docs/smoke.md from the checks")

const (
	docsPage = "../../docs/smoke.md"
	docsMark = "<!-- checks: made from the code by go test ./runner/smoke -run TestDocs -update -->"
)

func docsText() string {
	var text strings.Builder
	group := ""
	cell := func(s string) string { return strings.ReplaceAll(s, "|", `\|`) }
	for _, check := range Checks() {
		if before, _, _ := strings.Cut(check.ID, "."); before != group {
			group = before
			fmt.Fprintf(&text, "\n### %s\n\n| id | what is true when it passes | why it matters | what to do |\n|---|---|---|---|\n", group)
		}
		fmt.Fprintf(&text, "| `%s` | %s | %s | %s |\n", check.ID, cell(check.Claim), cell(check.Why), cell(check.Do))
	}
	return text.String()
}

func TestDocsListEveryCheck(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile(docsPage)
	if err != nil {
		t.Fatal(err)
	}
	head, made, found := strings.Cut(string(content), docsMark+"\n")
	switch {
	case !found:
		t.Fatalf("%s lacks the line %s", docsPage, docsMark)
	case *update:
		if err := os.WriteFile(docsPage, []byte(head+docsMark+"\n"+docsText()), 0o644); err != nil {
			t.Fatal(err)
		}
	case made != docsText():
		t.Errorf("%s does not say what the checks say: go test ./runner/smoke -run TestDocs -update", docsPage)
	}
}

func TestChecksAreComplete(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	usual := regexp.MustCompile(`^[a-z]+(-[a-z]+)*\.[a-z]+(-[a-z]+)*$`)
	for _, one := range table() {
		if !usual.MatchString(one.id) || seen[one.id] || one.claim == "" || one.why == "" || one.do == "" {
			t.Errorf("check %+v", one)
		}
		seen[one.id] = true
		for _, step := range one.steps {
			if commandOf(step) == "" || !stepsOf(Settings{Only: []string{one.id}})[step] {
				t.Errorf("%s: step %s would not be run for it alone", one.id, step)
			}
		}
	}
}
