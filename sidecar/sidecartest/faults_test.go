package sidecartest_test

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"sync-sidecar/sidecar/sidecartest"
)

// fault is an adapter that breaks a promise, and the subtest that must find it.
type fault[Fixture any] struct {
	name    string
	finds   string
	fixture func(testing.TB) Fixture
}

// faultyVariable makes TestFaulty fail as it should.
const faultyVariable = "SIDECARTEST_FAULTY"

// TestFaulty runs the suites with faulty adapters, in the processes of TestSuitesFindFaults.
func TestFaulty(t *testing.T) { //nolint:paralleltest // it is alone in its process
	if os.Getenv(faultyVariable) == "" {
		return
	}
	for _, f := range destinationFaults() {
		t.Run(f.name, func(t *testing.T) { sidecartest.VerifyDestination(t, f.fixture) })
	}
	for _, f := range journalFaults() {
		t.Run(f.name, func(t *testing.T) { sidecartest.VerifyJournal(t, f.fixture) })
	}
}

// TestSuitesFindFaults: each fault is found by the promise that it breaks, and there is no promise that nothing can break.
func TestSuitesFindFaults(t *testing.T) {
	t.Parallel()
	finds := map[string]string{}
	for _, f := range destinationFaults() {
		finds[f.name] = f.finds
	}
	for _, f := range journalFaults() {
		finds[f.name] = f.finds
	}
	if len(finds) != len(destinationFaults())+len(journalFaults()) {
		t.Error("two faults have one name")
	}
	unbroken := map[string]bool{}
	for _, promise := range sidecartest.PromiseNames() {
		unbroken[promise] = true
	}
	for name, promise := range finds {
		if delete(unbroken, promise); !strings.Contains(strings.Join(sidecartest.PromiseNames(), "\n"), promise) {
			t.Errorf("there is no promise %q", promise)
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			finding(t, name, promise)
		})
	}
	for promise := range unbroken {
		t.Errorf("no fault breaks %q", promise)
	}
}

// finding runs one promise of the suite with a faulty adapter, and looks that it fails.
func finding(t *testing.T, name, promise string) {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	subtest := underlined(name) + "/" + underlined(promise)
	pattern := "^TestFaulty$/^" + regexp.QuoteMeta(underlined(name)) + "$/^" + regexp.QuoteMeta(underlined(promise)) + "$"
	command := exec.CommandContext(t.Context(), program, "-test.run="+pattern, "-test.v", "-test.count=1", "-test.timeout=1m")
	command.Env = append(os.Environ(), faultyVariable+"=1")
	output, err := command.CombinedOutput()
	if err == nil || !strings.Contains(string(output), "--- FAIL: TestFaulty/"+subtest+" (") || strings.Contains(string(output), "panic:") {
		t.Errorf("it is not found by %q (%v):\n%s", promise, err, output)
	}
}

// underlined is a name as the testing package writes it.
func underlined(name string) string { return strings.ReplaceAll(name, " ", "_") }
