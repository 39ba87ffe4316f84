package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"unicode/utf16"
)

// byteOrderMark is what some editors and PowerShell put before UTF-8.
const byteOrderMark = "\ufeff"

// asUTF16 is a text as PowerShell's `>` writes it.
func asUTF16(text string) string {
	var encoded bytes.Buffer
	for _, unit := range utf16.Encode([]rune(byteOrderMark + text)) {
		encoded.Write([]byte{byte(unit), byte(unit >> 8)})
	}
	return encoded.String()
}

// A pipe or a device in place of a file would be waited for, or read, for ever; UTF-16 is no JSON. Each is refused by its variable, by the sidecar
// and by init.
func TestDocumentsThatCannotBeRead(t *testing.T) {
	t.Parallel()
	files := map[string]string{"CONFIG_FILE": "config/config.json", "CATALOG_FILE": "config/catalog.json", "STATE_FILE": "config/state.json"}
	for kind, test := range map[string]struct {
		spoil func(p *pod, variable, file string)
		want  string
	}{
		"pipe": {func(p *pod, variable, _ string) {
			if err := syscall.Mkfifo(p.path("fifo"), 0o600); err != nil {
				p.t.Fatal(err)
			}
			p.set(variable, p.path("fifo"))
		}, "it is a pipe"},
		"device": {func(p *pod, variable, _ string) { p.set(variable, "/dev/zero") }, "it is a device"},
		"UTF-16": {func(p *pod, _, file string) { p.put(file, asUTF16(`{"streams":[]}`)) }, "save it as UTF-8"},
	} {
		for variable, file := range files {
			t.Run(kind+" "+variable, func(t *testing.T) {
				t.Parallel()
				p := newPod(t, "read", `{}`)
				test.spoil(p, variable, file)
				sidecar := p.startSidecar()
				outcome{sidecar.wait(), sidecar.stderr.String()}.want(t, exitUsage, variable+": read ", test.want)
				if variable != "CATALOG_FILE" {
					return // the one that init reads
				}
				init := p.spawn(p.environ("LOAD_STATE=true"), p.sidecar, "init")
				outcome{init.wait(), init.stderr.String()}.want(t, exitUsage, variable+": read ", test.want)
			})
		}
	}
}

// A byte order mark means nothing: the streams and the state are read, and the secrets of the configuration are known.
func TestDocumentsWithAByteOrderMark(t *testing.T) {
	t.Parallel()
	p := newPod(t, "read", `{"api_key":"hunter2-hunter2"}`)
	p.configure(incrementalStreams("orders")...)
	catalog, err := os.ReadFile(p.path("config/catalog.json"))
	if err != nil {
		t.Fatal(err)
	}
	p.put("config/config.json", byteOrderMark+`{"api_key":"hunter2-hunter2"}`)
	p.put("config/catalog.json", byteOrderMark+string(catalog))
	p.put("config/state.json", byteOrderMark+`[]`)
	p.script(`echo "the key is hunter2-hunter2" >&2
echo '{"type":"RECORD","record":{"stream":"orders","emitted_at":1,"data":{"id":1}}}'`)
	p.withShim = true
	got := p.run()
	got.want(t, exitOK, "the key is ")
	if strings.Contains(got.stderr, "hunter2") {
		t.Error("the secret is shown: " + got.stderr)
	}
	if rows := p.rows("orders"); len(rows) != 1 {
		t.Errorf("rows %q", rows)
	}
}

// run takes the mark away, so that a connector never sees it, and refuses the same files.
func TestRunReadsDocuments(t *testing.T) {
	t.Parallel()
	c := newCommandLine(t)
	pipe := filepath.Join(c.dir, "pipe.json")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	const configured = `{"streams":[{"stream":{"name":"orders","json_schema":{}},"sync_mode":"full_refresh"}]}`
	for name, content := range map[string]string{
		"marked.json": byteOrderMark + `{"count":10}`, "catalog.json": byteOrderMark + configured, "state.json": byteOrderMark + "[]",
		"utf16.json": asUTF16(`{"count":10}`),
	} {
		put(t, filepath.Join(c.dir, name), content)
	}
	good := c.demo("read", "--config", "marked.json", "--catalog", "catalog.json", "--state", "state.json")
	if good.code != exitOK || !strings.Contains(good.stdout, "SUCCESS") {
		t.Errorf("exit code %d\n%s%s", good.code, good.stdout, good.stderr)
	}
	for _, flag := range []string{"config", "catalog", "state"} {
		for _, test := range []struct{ file, want string }{
			{"pipe.json", "it is a pipe"}, {"/dev/zero", "it is a device"}, {"utf16.json", "it is UTF-16"}, {"none.json", "no such file"},
		} {
			args := []string{"--catalog", "catalog.json"}
			if flag != "config" {
				args = []string{"--config", "{}"}
			}
			got := c.demo("read", append(args, "--"+flag, test.file)...)
			if want := "sync-sidecar: --" + flag + ": " + test.file + ": " + test.want; got.code != exitUsage || !strings.HasPrefix(got.stderr, want) {
				t.Errorf("exit code %d, %s; want %s", got.code, got.stderr, want)
			}
		}
	}
}
