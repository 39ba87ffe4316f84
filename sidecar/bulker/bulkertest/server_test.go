package bulkertest_test

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sync-sidecar/sidecar/bulker/bulkertest"
)

// TestMain minds every goroutine but those of net/http's server that let an early answer reach the client: they sleep half a second and end.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("net/http.(*conn).closeWriteAndWait"))
}

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
	return send(t, request)
}

// send makes a request on a connection of its own.
func send(t *testing.T, request *http.Request) (int, string) {
	t.Helper()
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

func TestFaults(t *testing.T) {
	t.Parallel()
	server := start(t, bulkertest.Options{Faults: []bulkertest.Fault{{Table: "b", Times: -1, Status: 503, Error: "always"}}})
	server.Inject(bulkertest.Fault{Table: "a", Skip: 1, Times: 2, Status: 429, Error: "twice"})
	var got []int
	for _, table := range []string{"a", "b", "a", "a", "a", "b"} {
		status, _ := call(t, http.MethodPost, server.URL+"/bulk/d?tableName="+table, "", strings.NewReader("{\"a\":1}\n"))
		got = append(got, status)
	}
	if want := []int{200, 503, 429, 429, 200, 503}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
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
		status, _ := call(t, http.MethodPost, server.URL+"/bulk/d?tableName=t", "", strings.NewReader(strings.Repeat("{\"a\":1}\n", 100)))
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
