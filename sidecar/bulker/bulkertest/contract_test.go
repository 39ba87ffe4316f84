package bulkertest_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"sync-sidecar/sidecar/bulker/bulkertest"
)

// TestContract holds the answers against Bulker's, byte by byte.
func TestContract(t *testing.T) {
	t.Parallel()
	const (
		table = "/bulk/d?tableName=t"
		state = `{"message":"ok","state":{"mode":"%s","processedBytes":0,"processedRows":%d,"processingTimeSec":0,"queueSize":0,` +
			`"representation":{"name":"t"},"status":"COMPLETED","successfulRows":%d}}`
	)
	line := func(n int) string { return `{"a":"` + strings.Repeat("x", n-len(`{"a":""}`)) + `"}` }
	masked := regexp.MustCompile(`error# [^:]+:`)
	for name, c := range map[string]struct {
		path, token, body string
		status            int
		want              string
	}{
		"no token":    {table, "", ``, 401, `{"error":"Authorization header with Bearer token is required"}`},
		"wrong token": {table, "Bearer oops", ``, 401, `{"error":"Invalid token: oops"}`},
		"post, wrong": {"/post/d?tableName=t", "Bearer oops", ``, 401, `{"error":"Invalid token: oops"}`},
		"destination": {"/bulk/x?tableName=t", "Bearer T", ``, 404, `{"error":"destination not found: destination not found: x"}`},
		"no table":    {"/bulk/d", "Bearer T", ``, 400, `{"error":"missing required parameter: tableName query parameter is required"}`},
		"partition":   {table + "&mode=replace_partition", "Bearer T", `{}`, 500, `{"error":"error# ID: create stream error"}`},
		"bad mode":    {table + "&mode=merge", "Bearer T", `{}`, 500, `{"error":"error# ID: create stream error"}`},
		"default":     {table, "Bearer T", `{"a":1}`, 200, fmt.Sprintf(state, "replace_table", 1, 1)},
		"batch":       {table + "&mode=batch&pk=a", "Bearer T", "{\"a\":1}\n{\"a\":1}\r\n", 200, fmt.Sprintf(state, "batch", 2, 2)},
		"stream":      {table + "&mode=stream", "Bearer T", "{\"a\":1}\n", 200, fmt.Sprintf(state, "stream", 1, 1)},
		"no token T":  {table, "T", `{"a":1}`, 200, fmt.Sprintf(state, "replace_table", 1, 1)}, // the prefix is trimmed, not required
		"empty":       {table, "Bearer T", ``, 200, `{"message":"ok"}`},
		"abort":       {table, "Bearer T", "{}\nABORT by us\n", 400, `{"error":"aborted: ABORT by us"}`},
		"blank":       {table, "Bearer T", "{}\n\n{}\n", 400, `{"error":"unmarhsal error: unexpected end of JSON input"}`},
		"spaces":      {table, "Bearer T", "  \n", 400, `{"error":"unmarhsal error: unexpected end of JSON input"}`},
		"null":        {table, "Bearer T", "null\n", 500, ``},
		"BOM": {table, "Bearer T", "\ufeff{}\n", 400,
			`{"error":"unmarhsal error: invalid character 'ï' looking for beginning of value"}`},
		"array": {table, "Bearer T", "[1]\n", 400,
			`{"error":"unmarhsal error: json: cannot unmarshal array into Go value of type map[string]json.RawMessage"}`},
		"control":        {table, "Bearer T", "{\"a\":\"\x01\"}\n", 400, `{"error":"unmarhsal error: invalid character '\\x01' in string literal"}`},
		"trailing":       {table, "Bearer T", "{} {}\n", 400, `{"error":"unmarhsal error: invalid character '{' after top-level value"}`},
		"tolerated":      {table, "Bearer T", "{\"a\":1,\"a\":\"\\ud800\\u0000\",\"b\":1e400}\n", 200, fmt.Sprintf(state, "replace_table", 1, 1)},
		"a byte less":    {table, "Bearer T", line(1_048_574) + "\n", 200, fmt.Sprintf(state, "replace_table", 1, 1)},
		"longest":        {table, "Bearer T", line(1_048_575) + "\n", 200, fmt.Sprintf(state, "replace_table", 1, 1)},
		"two":            {table, "Bearer T", strings.Repeat(line(1_048_575)+"\n", 2), 200, fmt.Sprintf(state, "replace_table", 2, 2)},
		"too long":       {table, "Bearer T", line(1_048_576) + "\n", 400, `{"error":"scanner error: bufio.Scanner: token too long"}`},
		"no line feed":   {table, "Bearer T", line(1_048_576), 200, fmt.Sprintf(state, "replace_table", 1, 1)}, // (measured)
		"longer yet":     {table, "Bearer T", line(1_048_577), 400, `{"error":"scanner error: bufio.Scanner: token too long"}`},
		"post":           {"/post/d?tableName=t", "Bearer T", `anything`, 200, `{"message":"ok"}`},
		"post, no table": {"/post/d", "Bearer T", ``, 400, `{"error":"missing required parameter: tableName query parameter is required"}`},
		"post, unknown":  {"/post/x", "Bearer T", ``, 404, `{"error":"destination not found: destination not found: x"}`},
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
	for ready, want := range map[bool]int{true: 200, false: 503} {
		server.SetReady(ready)
		for _, path := range []string{"/ready", "/health"} {
			if status, text := call(t, http.MethodGet, server.URL+path, "", nil); status != want || !strings.Contains(text, `"status":`) {
				t.Errorf("%s: %d %s", path, status, text)
			}
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
		if response.StatusCode != http.StatusBadRequest || string(text) != "{\"error\":\"scanner error: unexpected EOF\"}\n" || len(server.Commits()) != 0 {
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
	if _, err := io.WriteString(conn, "POST /bulk/d?tableName=t HTTP/1.1\r\nHost: x\r\nContent-Length: 8\r\n\r\n{\"a\":1}\n"); err != nil {
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
