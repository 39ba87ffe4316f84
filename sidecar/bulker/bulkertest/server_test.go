package bulkertest_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sync-sidecar/sidecar/bulker/bulkertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func start(t *testing.T, o bulkertest.Options) *bulkertest.Server {
	t.Helper()
	server, err := bulkertest.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	return server
}

// call makes a request on a connection of its own.
func call(t *testing.T, method, url, token string, body io.Reader) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		request.Header.Set("Authorization", token)
	}
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	response, err := transport.RoundTrip(request)
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, strings.TrimSuffix(string(text), "\n")
}

// TestContract holds the answers against Bulker's, byte by byte.
func TestContract(t *testing.T) {
	t.Parallel()
	const state = `{"message":"ok","state":{"mode":"%s","processedBytes":0,"processedRows":%d,"processingTimeSec":0,"queueSize":0,` +
		`"representation":{"name":"t"},"status":"COMPLETED","successfulRows":%d}}`
	line := func(n int) string { return `{"a":"` + strings.Repeat("x", n-len(`{"a":""}`)) + `"}` }
	masked := regexp.MustCompile(`error# [^:]+:`)
	for name, c := range map[string]struct {
		path, token, body string
		status            int
		want              string
	}{
		"no token":    {"/bulk/d?tableName=t", "", ``, 401, `{"error":"Authorization header with Bearer token is required"}`},
		"wrong token": {"/bulk/d?tableName=t", "Bearer oops", ``, 401, `{"error":"Invalid token: oops"}`},
		"post, wrong": {"/post/d?tableName=t", "Bearer oops", ``, 401, `{"error":"Invalid token: oops"}`},
		"destination": {"/bulk/x?tableName=t", "Bearer T", ``, 404, `{"error":"destination not found: destination not found: x"}`},
		"no table":    {"/bulk/d", "Bearer T", ``, 400, `{"error":"missing required parameter: tableName query parameter is required"}`},
		"partition":   {"/bulk/d?tableName=t&mode=replace_partition", "Bearer T", `{}`, 500, `{"error":"error# ID: create stream error"}`},
		"bad mode":    {"/bulk/d?tableName=t&mode=merge", "Bearer T", `{}`, 500, `{"error":"error# ID: create stream error"}`},
		"default":     {"/bulk/d?tableName=t", "Bearer T", `{"a":1}`, 200, fmt.Sprintf(state, "replace_table", 1, 1)},
		"batch":       {"/bulk/d?tableName=t&mode=batch&pk=a", "Bearer T", "{\"a\":1}\n{\"a\":1}\r\n", 200, fmt.Sprintf(state, "batch", 2, 2)},
		"stream":      {"/bulk/d?tableName=t&mode=stream", "Bearer T", "{\"a\":1}\n", 200, fmt.Sprintf(state, "stream", 1, 1)},
		"no token T":  {"/bulk/d?tableName=t", "T", `{}`, 200, fmt.Sprintf(state, "replace_table", 1, 1)}, // the prefix is trimmed, not required
		"empty":       {"/bulk/d?tableName=t", "Bearer T", ``, 200, `{"message":"ok"}`},
		"abort":       {"/bulk/d?tableName=t", "Bearer T", "{}\nABORT by us\n", 400, `{"error":"aborted: ABORT by us"}`},
		"blank":       {"/bulk/d?tableName=t", "Bearer T", "{}\n\n{}\n", 400, `{"error":"unmarhsal error: unexpected end of JSON input"}`},
		"spaces":      {"/bulk/d?tableName=t", "Bearer T", "  \n", 400, `{"error":"unmarhsal error: unexpected end of JSON input"}`},
		"null":        {"/bulk/d?tableName=t", "Bearer T", "null\n", 500, ``},
		"BOM":         {"/bulk/d?tableName=t", "Bearer T", "\ufeff{}\n", 400, `{"error":"unmarhsal error: invalid character 'ï' looking for beginning of value"}`},
		"array":       {"/bulk/d?tableName=t", "Bearer T", "[1]\n", 400, `{"error":"unmarhsal error: json: cannot unmarshal array into Go value of type map[string]json.RawMessage"}`},
		"control":     {"/bulk/d?tableName=t", "Bearer T", "{\"a\":\"\x01\"}\n", 400, `{"error":"unmarhsal error: invalid character '\\x01' in string literal"}`},
		"trailing":    {"/bulk/d?tableName=t", "Bearer T", "{} {}\n", 400, `{"error":"unmarhsal error: invalid character '{' after top-level value"}`},
		"tolerated":   {"/bulk/d?tableName=t", "Bearer T", "{\"a\":1,\"a\":\"\xff\\ud800\\u0000\",\"b\":1e400}\n", 200, fmt.Sprintf(state, "replace_table", 1, 1)},
		"longest":     {"/bulk/d?tableName=t", "Bearer T", line(1_048_575) + "\n", 200, fmt.Sprintf(state, "replace_table", 1, 1)},
		"too long":    {"/bulk/d?tableName=t", "Bearer T", line(1_048_576) + "\n", 400, `{"error":"scanner error: bufio.Scanner: token too long"}`},
		"post":        {"/post/d?tableName=t", "Bearer T", `anything`, 200, `{"message":"ok"}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := start(t, bulkertest.Options{Token: "T", Destinations: []string{"d"}})
			status, got := call(t, http.MethodPost, server.URL+c.path, c.token, strings.NewReader(c.body))
			if got = masked.ReplaceAllString(got, "error# ID:"); status != c.status || got != c.want {
				t.Errorf("%d %s\nwant %d %s", status, got, c.status, c.want)
			}
			if strings.Contains(c.want, "state") != (len(server.Commits()) == 1) {
				t.Errorf("commits %+v", server.Commits())
			}
		})
	}
	server := start(t, bulkertest.Options{Token: "T"})
	for _, path := range []string{"/ready", "/health"} {
		if status, _ := call(t, http.MethodGet, server.URL+path, "", nil); status != 200 {
			t.Errorf("%s: %d", path, status)
		}
	}
}

func TestTables(t *testing.T) {
	t.Parallel()
	server := start(t, bulkertest.Options{})
	for _, step := range []struct {
		query, body string
		want        []string
	}{
		{"mode=batch", "{\"id\":1}\n{\"id\":1}\n", []string{`{"id":1}`, `{"id":1}`}},
		{"mode=batch&pk=id", "{\"id\":1,\"v\":2}\n{\"id\":\"1\",\"v\":3}\n{\"id\":2}\n", []string{`{"id":"1","v":3}`, `{"id":2}`}},
		{"mode=batch&pk=id", "{\"x\":1}\n{\"id\":null}\n", []string{`{"id":"1","v":3}`, `{"id":2}`, `{"id":null}`}},
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

// TestBrokenBody sends requests by hand that end before their bodies do.
func TestBrokenBody(t *testing.T) {
	t.Parallel()
	for name, head := range map[string]string{
		"chunked": "Transfer-Encoding: chunked\r\n\r\n8\r\n{\"a\":1}\n\r\n",
		"length":  "Content-Length: 100\r\n\r\n{\"a\":1}\n",
	} {
		server := start(t, bulkertest.Options{})
		conn, err := net.Dial("tcp", strings.TrimPrefix(server.URL, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := fmt.Fprintf(conn, "POST /bulk/d?tableName=t HTTP/1.1\r\nHost: x\r\n%s", head); err != nil {
			t.Fatal(err)
		}
		if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		if response.StatusCode != 400 || string(text) != "{\"error\":\"scanner error: unexpected EOF\"}\n" || len(server.Commits()) != 0 {
			t.Errorf("%s: %d %s", name, response.StatusCode, text)
		}
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestCommitWithoutClient disconnects after the last chunk, while the server merges.
func TestCommitWithoutClient(t *testing.T) {
	t.Parallel()
	server := start(t, bulkertest.Options{MergeTime: 50 * time.Millisecond})
	conn, err := net.Dial("tcp", strings.TrimPrefix(server.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, "POST /bulk/d?tableName=t HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n{}\n"); err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(10 * time.Second); len(server.Commits()) == 0; <-tick.C {
		if time.Now().After(deadline) {
			t.Fatal("nothing was committed")
		}
	}
}

// TestReadTimeout wants slow and steady bodies to be cut alike.
func TestReadTimeout(t *testing.T) {
	t.Parallel()
	for _, row := range []string{"", "{}\n"} { // silent after the first one, or steady
		server := start(t, bulkertest.Options{ReadTimeout: 100 * time.Millisecond})
		in, out := io.Pipe()
		var wg sync.WaitGroup
		wg.Go(func() {
			tick := time.NewTicker(5 * time.Millisecond)
			defer tick.Stop()
			for _, err := io.WriteString(out, "{}\n"); err == nil; _, err = io.WriteString(out, row) {
				<-tick.C
				if row == "" && len(server.Requests()) > 0 {
					break
				}
			}
			_ = out.Close()
		})
		_, _ = call(t, http.MethodPost, server.URL+"/bulk/d?tableName=t", "", in) // the answer may be lost behind the reset of the connection
		_ = in.Close()
		wg.Wait()
		if got := server.Requests(); len(got) != 1 || !strings.Contains(got[0].Error, "scanner error") || !strings.Contains(got[0].Error, "i/o timeout") {
			t.Errorf("row %q: %+v", row, got)
		}
		if len(server.Commits()) != 0 {
			t.Errorf("row %q: committed", row)
		}
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	server := start(t, bulkertest.Options{Faults: []bulkertest.Fault{{Table: "b", Times: -1, Status: 503, Error: "always"}}})
	server.Inject(bulkertest.Fault{Table: "a", Skip: 1, Times: 2, Status: 429, Error: "twice"})
	var got []int
	for _, table := range []string{"a", "b", "a", "a", "a", "b"} {
		status, _ := call(t, http.MethodPost, server.URL+"/bulk/d?tableName="+table, "", strings.NewReader("{}\n"))
		got = append(got, status)
	}
	if want := []int{200, 503, 429, 429, 200, 503}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
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

func TestDiscard(t *testing.T) {
	t.Parallel()
	server := start(t, bulkertest.Options{Discard: true})
	status, text := call(t, http.MethodPost, server.URL+"/bulk/d?tableName=t", "", strings.NewReader("{}\nnot looked at\n"))
	if status != 200 || !strings.Contains(text, `"processedRows":2`) {
		t.Errorf("%d %s", status, text)
	}
	if commits := server.Commits(); len(commits) != 1 || commits[0].Rows != 2 || commits[0].Kept {
		t.Errorf("%+v", commits)
	}
}

func TestPace(t *testing.T) {
	t.Parallel()
	for _, discard := range []bool{false, true} {
		server := start(t, bulkertest.Options{RowsPerSecond: 1000, Discard: discard})
		started := time.Now()
		status, _ := call(t, http.MethodPost, server.URL+"/bulk/d?tableName=t", "", strings.NewReader(strings.Repeat("{}\n", 100)))
		if took := time.Since(started); status != 200 || took < 95*time.Millisecond {
			t.Errorf("discard %v: 100 rows at 1,000/s took %s (status %d)", discard, took, status)
		}
	}
}

func TestInspection(t *testing.T) {
	t.Parallel()
	server := start(t, bulkertest.Options{Token: "T"})
	status, text := call(t, http.MethodPost, server.URL+"/_test/faults", "", strings.NewReader(`[{"status":500,"skip":1}]`))
	if status != 204 {
		t.Fatal(status, text)
	}
	for _, want := range []int{200, 500} {
		if got, _ := call(t, http.MethodPost, server.URL+"/bulk/d?tableName=t", "Bearer T", strings.NewReader("{\"a\":1}\n{\"a\":2}\n")); got != want {
			t.Errorf("status %d, want %d", got, want)
		}
	}
	call(t, http.MethodPost, server.URL+"/post/logs?tableName=x", "Bearer T", strings.NewReader(`no json`))
	for path, want := range map[string]string{
		"tables":       `{"t":2}`,
		"rows?table=t": "{\"a\":1}\n{\"a\":2}",
		"posts":        `[{"destination":"logs","table":"x","body":"no json"}]`,
	} {
		if _, got := call(t, http.MethodGet, server.URL+"/_test/"+path, "", nil); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
	var commits []bulkertest.Commit
	_, text = call(t, http.MethodGet, server.URL+"/_test/commits", "", nil)
	if err := json.Unmarshal([]byte(text), &commits); err != nil || len(commits) != 1 || commits[0].Rows != 2 || commits[0].Table != "t" {
		t.Errorf("%s: %v", text, err)
	}
	if status, _ := call(t, http.MethodPost, server.URL+"/_test/faults", "", strings.NewReader(`{`)); status != 400 {
		t.Errorf("broken faults: %d", status)
	}
}

// lockedBuffer can be read while it is written.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func TestMainFunction(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out, done := new(lockedBuffer), make(chan error, 1)
	go func() {
		args := []string{"-token", "T", "-destination", "d", "-fault", `{"table":"x","status":500}`, "-read-timeout", "1m"}
		done <- bulkertest.Main(ctx, args, out, io.Discard)
	}()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(10 * time.Second); !strings.HasSuffix(out.String(), "\n"); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatal("it does not start")
		}
	}
	url := strings.TrimPrefix(strings.TrimSpace(out.String()), "listening on ")
	for table, want := range map[string]int{"x": 500, "y": 200} {
		if got, _ := call(t, http.MethodPost, url+"/bulk/d?tableName="+table, "Bearer T", strings.NewReader("{}\n")); got != want {
			t.Errorf("table %s: %d", table, got)
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	for _, args := range [][]string{{"-nonsense"}, {"-fault", "{"}, {"extra"}, {"-addr", "nowhere:x"}, {"-dir", "/dev/null/x"}} {
		if err := bulkertest.Main(t.Context(), args, io.Discard, io.Discard); err == nil {
			t.Errorf("%q: no error", args)
		}
	}
}
