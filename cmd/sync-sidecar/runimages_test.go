package main

import (
	"cmp"
	"encoding/binary"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/image"
)

// imageCase is a connector's image as people have them, what is asked of it, and what comes of that.
type imageCase struct {
	name    string
	program string   // where it is in the image; the demo source's
	foreign bool     // it is for another processor
	changes []string // of the image, in the words of a Dockerfile
	args    []string // of `run`
	code    int
	status  string   // of the task, for reads
	want    []string // in what is printed
	hidden  string   // in nothing that is printed or kept
}

// imageCases are one kind of image, or of behaviour in one, each. The image has one static program and nothing else, so that none has a shell.
func imageCases() []imageCase {
	read := func(config string, more ...string) []string {
		return append([]string{"read", "--config", config, "--catalog", "orders.json"}, more...)
	}
	const small = `{"count":100}`
	return []imageCase{
		{name: "not root, without a name or a home", changes: []string{"USER 4321:4321", "ENV HOME=/nonexistent"}, args: read(small), status: "SUCCESS"},
		{name: "root", changes: []string{"USER 0"}, args: read(small), status: "SUCCESS"},
		{name: "entrypoint relative to the working folder", program: "/app/source-demo",
			changes: []string{"WORKDIR /app", `ENTRYPOINT ["./source-demo"]`}, args: read(small), status: "SUCCESS"},
		{name: "entrypoint found in PATH", program: "/app/bin/source-demo",
			changes: []string{"ENV PATH=/app/bin", `ENTRYPOINT ["source-demo"]`}, args: read(small), status: "SUCCESS"},
		{name: "nothing but AIRBYTE_ENTRYPOINT", changes: []string{"ENTRYPOINT []", `ENV AIRBYTE_ENTRYPOINT=/source-demo`},
			args: read(small), status: "SUCCESS"},
		{name: "no entrypoint at all", changes: []string{"ENTRYPOINT []"}, args: read(small), code: exitEnvironment,
			want: []string{"neither ENTRYPOINT nor AIRBYTE_ENTRYPOINT", "--entrypoint"}},
		{name: "an entrypoint that is not there", changes: []string{`ENTRYPOINT ["/nowhere/source"]`}, args: []string{"spec"}, code: exitEnvironment,
			want: []string{"/nowhere/source", "no such file"}},
		{name: "another processor", foreign: true, args: []string{"spec"}, code: exitEnvironment, want: []string{"no program for this machine"}},
		{name: "slow to start", args: read(`{"count":100,"faults":{"silence":{"command":"read","seconds":2}}}`), status: "SUCCESS"},
		{name: "too slow to start", args: read(`{"count":100,"faults":{"silence":{"command":"read","seconds":60}}}`,
			"--silence-timeout", "1s", "--grace", "1s"), code: exitTimeout, status: "TIME_EXCEEDED", want: []string{"SILENCE_TIMEOUT"}},
		{name: "deaf to SIGTERM", args: read(`{"rate":50,"faults":{"ignore_sigterm":true}}`, "--timeout", "2s", "--grace", "1s"),
			code: exitTimeout, status: "TIME_EXCEEDED", want: []string{"TASK_TIMEOUT_HOURS"}},
		{name: "out of memory", args: read(`{"count":20,"row_bytes":40000000}`, "--memory", "32m"), code: exitFailed, status: "FAILED",
			want: []string{"out of memory (limit 32 MiB", "--memory"}},
		{name: "no answer", args: []string{"check", "--config", `{"faults":{"exit_code":{"command":"check","code":0}}}`}, code: exitFailed,
			want: []string{"without a single Airbyte message", "AIRBYTE_ENTRYPOINT"}},
		{name: "no result of a read", args: read(`{"faults":{"exit_code":{"code":0}}}`), code: exitFailed, status: "FAILED",
			want: []string{"ended before this stream was complete"}},
		{name: "tells secrets", args: read(`{"count":100,"api_key":"hunter2-and-more","faults":{"log_secret":{}}}`, "--verbose"), status: "SUCCESS",
			want: []string{"***"}, hidden: "hunter2-and-more"},
	}
}

// TestRunOfImagesAsPeopleHaveThem: verdict, exit code and words of each. Airbyte's own source-faker is in TestRunOfARealSource.
func TestRunOfImagesAsPeopleHaveThem(t *testing.T) {
	t.Parallel()
	newDockerLine(t) // skips where there is no Engine
	for _, test := range imageCases() {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			d := newDockerLine(t)
			d.remakeImage(test)
			if err := os.WriteFile(filepath.Join(d.dir, "orders.json"), []byte(ordersCatalog), 0o600); err != nil {
				t.Fatal(err)
			}
			got := d.run(append([]string{"run", test.args[0], "--image", d.image, "--pull", "never", "--sync-id", d.syncID}, test.args[1:]...)...)
			said := got.stdout + got.stderr
			if got.code != test.code {
				t.Errorf("exit code %d, want %d: %s", got.code, test.code, said)
			}
			for _, want := range test.want {
				if !strings.Contains(said, want) {
					t.Errorf("it does not say %q: %s", want, said)
				}
			}
			if test.status != "" {
				if task, err := os.ReadFile(d.file("task.json")); err != nil || !strings.Contains(string(task), `"status": "`+test.status+`"`) {
					t.Errorf("%v, want %s: %s", err, test.status, task)
				}
			}
			if test.hidden != "" {
				d.keepsSecret(test.hidden, said)
			}
			if left := d.left(""); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

const ordersCatalog = `{"streams":[{"sync_mode":"incremental","destination_sync_mode":"append_dedup","cursor_field":["updated_at"],
	"primary_key":[["id"]],"stream":{"name":"orders","json_schema":{},"supported_sync_modes":["full_refresh","incremental"]}}]}`

// remakeImage makes the image of a case.
func (d *dockerLine) remakeImage(test imageCase) {
	d.t.Helper()
	options, place := image.ImportOptions{Changes: test.changes}, cmp.Or(test.program, "/source-demo")
	if test.foreign {
		options.Platform = "linux/" + foreignProcessor()
		d.importProgram(d.image, place, foreignProgram(), options)
		return
	}
	program, err := os.ReadFile(d.programs.Demo)
	if err != nil {
		d.t.Fatal(err)
	}
	d.importProgram(d.image, place, program, options)
}

// foreignProcessor is one that this machine has not.
func foreignProcessor() string {
	if runtime.GOARCH == "s390x" {
		return "amd64"
	}
	return "s390x" // which hardly anybody emulates
}

// foreignProgram is the head of a program for it, which is all that the kernel looks at.
func foreignProgram() []byte {
	head := make([]byte, 64)
	copy(head, "\x7fELF\x02\x02\x01") // 64 bits, big-endian
	binary.BigEndian.PutUint16(head[16:], 2)
	binary.BigEndian.PutUint16(head[18:], 22) // EM_S390
	if runtime.GOARCH == "s390x" {
		copy(head, "\x7fELF\x02\x01\x01")
		binary.LittleEndian.PutUint16(head[16:], 2)
		binary.LittleEndian.PutUint16(head[18:], 62) // EM_X86_64
	}
	return head
}

// keepsSecret fails the test when a secret is in a text or in a file of the sync, but in rows.
func (d *dockerLine) keepsSecret(secret, said string) {
	d.t.Helper()
	if strings.Contains(said, secret) {
		d.t.Errorf("it prints the secret: %s", said)
	}
	for _, name := range []string{"log.txt", "task.json", "state.json"} {
		if text, err := os.ReadFile(d.file(name)); err != nil || strings.Contains(string(text), secret) {
			d.t.Errorf("%s holds the secret, or is not there: %v", name, err)
		}
	}
}
