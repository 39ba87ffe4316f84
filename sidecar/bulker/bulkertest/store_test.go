package bulkertest_test

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sync-sidecar/sidecar/bulker/bulkertest"
)

func TestTables(t *testing.T) {
	t.Parallel()
	server := start(t, bulkertest.Options{})
	for _, step := range []struct {
		query, body string
		want        []string
	}{
		{"mode=batch", "{\"id\":1}\n{\"id\":1}\n", []string{`{"id":1}`, `{"id":1}`}},
		{"mode=batch&pk=id", "{\"id\":1,\"v\":2}\n{\"id\":\"1\",\"v\":3}\n{\"id\":2}\n", []string{`{"id":"1","v":3}`, `{"id":2}`}},
		{"mode=batch&pk=id", "{\"id\":3}\n{\"id\":null}\n", []string{`{"id":"1","v":3}`, `{"id":2}`}}, // refused
		{"mode=replace_table&pk=a_b&pk=c", "{\"a\":{\"b\":1},\"c\":1}\n{\"a\":{\"b\":1},\"c\":2}\n{\"a_b\":1,\"c\":1}\n",
			[]string{`{"a":{"b":1},"c":2}`, `{"a_b":1,"c":1}`}},
		{"mode=replace_table", "{\"z\":1}\nABORT\n", []string{`{"a":{"b":1},"c":2}`, `{"a_b":1,"c":1}`}},
		{"mode=replace_table", "", []string{`{"a":{"b":1},"c":2}`, `{"a_b":1,"c":1}`}},
		{"mode=replace_table", "{\"z\":1}\n", []string{`{"z":1}`}},
		{"mode=stream", "{\"z\":2}\nABORT\n", []string{`{"z":1}`, `{"z":2}`}},
	} {
		call(t, http.MethodPost, server.URL+"/bulk/d?tableName=t&"+step.query, "", strings.NewReader(step.body))
		rows, err := server.Rows("t")
		if err != nil {
			t.Fatal(err)
		}
		got := make([]string, len(rows))
		for i, row := range rows {
			got[i] = string(row)
		}
		if !slices.Equal(got, step.want) {
			t.Errorf("after %s %q:\n%q, want\n%q", step.query, step.body, got, step.want)
		}
		if n, err := server.Count("t"); err != nil || n != int64(len(step.want)) {
			t.Errorf("count %d, %v", n, err)
		}
	}
}

func TestDurability(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	server, err := bulkertest.New(bulkertest.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	for _, body := range []string{"{\"a\":1}\n", "{\"a\":2}\n{\"a\":3}\n"} {
		call(t, http.MethodPost, server.URL+"/bulk/d?tableName=t&mode=batch&taskId=k&jobId=j", "", strings.NewReader(body))
	}
	call(t, http.MethodPost, server.URL+"/post/logs?tableName=task_log", "", strings.NewReader(`{"m":1}`))
	if err := server.Close(); err != nil {
		t.Fatal(err)
	}
	// What a kill may leave: a spool, a file whose commit never came, half a line in the log.
	for _, name := range []string{"spool-1", "3.ndjson"} {
		if err := os.WriteFile(filepath.Join(dir, "data", name), []byte("{}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	log, err := os.OpenFile(filepath.Join(dir, "commits.ndjson"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := log.WriteString(`{"sequence":3,"table":"t"`); err != nil {
		t.Fatal(err)
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	again := start(t, bulkertest.Options{Dir: dir})
	call(t, http.MethodPost, again.URL+"/bulk/d?tableName=t&mode=batch", "", strings.NewReader("{\"a\":4}\n"))
	if n, err := again.Count("t"); err != nil || n != 4 {
		t.Errorf("%d rows, %v", n, err)
	}
	commits := again.Commits()
	if len(commits) != 3 || commits[1].Sequence != 2 || commits[1].TaskID != "k" || commits[1].JobID != "j" || commits[1].Destination != "d" ||
		commits[1].Bytes != 16 || commits[2].Sequence != 3 {
		t.Errorf("%+v", commits)
	}
	if posts, err := again.Posts(); err != nil || len(posts) != 1 || string(posts[0].Body) != `{"m":1}` {
		t.Errorf("posts %v, %v", posts, err)
	}
	files, err := os.ReadDir(filepath.Join(dir, "data"))
	if err != nil || len(files) != 3 {
		t.Errorf("files %v, %v", files, err)
	}
}
