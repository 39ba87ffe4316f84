package bulker_test

import (
	"bufio"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/bulker"
	"sync-sidecar/sidecar/bulker/bulkertest"
)

// TestOutcomes loads a row into a server that commits it, or does not, and then answers: Unknown must be set wherever the answer does not tell which.
func TestOutcomes(t *testing.T) {
	t.Parallel()
	const gateway = "<html><h1>504 Gateway Time-out</h1></html>"
	open := map[string]bulkertest.Fault{
		"nothing":                 {},
		"a panic":                 {Status: 500},
		"a masked complete error": {Status: 500, Error: "error# 1: stream complete error"},
		"502":                     {Status: 502, Body: gateway},
		"503":                     {Status: 503, Body: "upstream connect error or disconnect/reset before headers"},
		"504":                     {Status: 504, Body: gateway},
		"504 in JSON":             {Status: 504, Body: `{"message":"Endpoint request timed out"}`},
		"504 as Bulker's":         {Status: 504, Error: "upstream request timeout"},
		"520 of Cloudflare":       {Status: 520},
		"524 of Cloudflare":       {Status: 524, Body: "a timeout occurred"},
		"408":                     {Status: 408, Body: "request timeout"},
		"408 as Bulker's":         {Status: 408, Error: "request timeout"},
		"460 of AWS":              {Status: 460},
		"499 of nginx":            {Status: 499},
		"202":                     {Status: 202, Body: "queued"},
		"204":                     {Status: 204},
		"no code":                 {Status: 400, Error: "stream complete error: bad connection"},
		"a merge without a code":  {Status: 400, Error: "stream complete error: report.sql.bulk_merge: failed to run merge, cause: timeout"},
		"commit":                  {Status: 400, Error: "stream complete error: x: failed to commit transaction, cause: unexpected EOF"},
		"commit, 57P01":           {Status: 400, Error: "stream complete error: x: failed to commit transaction, cause: FATAL: x (SQLSTATE 57P01)"},
		"commit, 08006":           {Status: 400, Error: "stream complete error: x: failed to commit transaction, cause: FATAL: x (SQLSTATE 08006)"},
		"commit, 40003":           {Status: 400, Error: "stream complete error: x: failed to commit transaction, cause: ERROR: x (SQLSTATE 40003)"},
		"commit, 53100":           {Status: 400, Error: "stream complete error: x: failed to commit transaction, cause: ERROR: x (SQLSTATE 53100)"},
		"commit in 500":           {Status: 500, Error: "stream complete error: x: failed to commit transaction, cause: conn closed"},
	}
	closed := map[string]bulkertest.Fault{
		"401":             {Status: 401, Error: "Invalid token: x"},
		"404":             {Status: 404, Error: "destination not found: destination not found: x"},
		"404 of a proxy":  {Status: 404, Body: "default backend - 404"},
		"413":             {Status: 413},
		"429":             {Status: 429},
		"400 of a proxy":  {Status: 400, Body: "bad request"},
		"create":          {Status: 500, Error: "error# 1: create stream error"},
		"scanner":         {Status: 400, Error: "scanner error: unexpected EOF"},
		"consume":         {Status: 400, Error: "stream consume error: connection reset"},
		"before":          {Status: 400, Error: "stream complete error: failed to flush tmp file to the warehouse, cause: unexpected EOF"},
		"not connected":   {Status: 400, Error: "stream complete error: failed to init transaction, cause: failed to connect to postgres. error: refused"},
		"merge, 57P01":    {Status: 400, Error: "stream complete error: report.sql.bulk_merge: x, cause: FATAL: x (SQLSTATE 57P01)"},
		"merge, 53100":    {Status: 400, Error: "stream complete error: report.sql.bulk_merge: x, cause: ERROR: x (SQLSTATE 53100)"},
		"commit, 23505":   {Status: 400, Error: "stream complete error: x: failed to commit transaction, cause: ERROR: x (SQLSTATE 23505)"},
		"commit, 40001":   {Status: 400, Error: "stream complete error: x: failed to commit transaction, cause: ERROR: x (SQLSTATE 40001)"},
		"rolled back":     {Status: 400, Error: "stream complete error: x: failed to commit transaction, cause: commit unexpectedly resulted in rollback"},
		"moved elsewhere": {Status: 308},
	}
	try := func(t *testing.T, fault bulkertest.Fault, unknown bool) {
		t.Helper()
		t.Parallel()
		fault.Moment = bulkertest.AtEnd
		server := start(t, bulkertest.Options{Faults: []bulkertest.Fault{fault}})
		e := refused(t, client(t, server.URL, nil).Load(t.Context(), load(sidecar.Append, numbered(1))))
		if e.Unknown != unknown {
			t.Errorf("unknown is %v: %+v", e.Unknown, e)
		}
	}
	for name, fault := range open {
		t.Run("unknown, not committed: "+name, func(t *testing.T) { try(t, fault, true) })
		fault.Commit = true
		t.Run("unknown, committed: "+name, func(t *testing.T) { try(t, fault, true) })
	}
	for name, fault := range closed {
		t.Run("known: "+name, func(t *testing.T) { try(t, fault, false) })
	}
}

// TestOutcomesOfConnections does the same for answers that do not come, or not to their end.
func TestOutcomesOfConnections(t *testing.T) {
	t.Parallel()
	const wholeAnswer = `{"message":"ok","state":{"status":"COMPLETED","processedRows":1}}`
	for name, answer := range map[string]string{
		"half a head":      "HTTP/1.1 200 O",
		"half a body":      "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + wholeAnswer,
		"half a chunk":     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n41\r\n" + wholeAnswer[:20],
		"another protocol": "SSH-2.0-OpenSSH_9.2\r\n",
		"half a refusal":   "HTTP/1.1 400 Bad Request\r\nContent-Length: 100\r\n\r\n" + `{"error":"scanner error: x"}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				conn, _, err := http.NewResponseController(w).Hijack()
				if err != nil {
					t.Error(err)
					return
				}
				out := bufio.NewWriter(conn)
				_, _ = out.WriteString(answer)
				_ = out.Flush()
				_ = conn.Close()
			}))
			defer server.Close()
			e := refused(t, client(t, server.URL, nil).Load(t.Context(), load(sidecar.Append, numbered(1))))
			if !e.Unknown || e.Permanent || !e.Environment || !strings.Contains(e.Message, "no answer from") {
				t.Errorf("%+v", e)
			}
		})
	}
	t.Run("none in time", func(t *testing.T) {
		t.Parallel()
		server := start(t, bulkertest.Options{MergeTime: time.Hour})
		c := client(t, server.URL, func(o *bulker.Options) { o.RequestTimeout = 20 * time.Millisecond })
		if e := refused(t, c.Load(t.Context(), load(sidecar.Append, numbered(1)))); !e.Unknown {
			t.Errorf("%+v", e)
		}
	})
	t.Run("broken off among rows", func(t *testing.T) {
		t.Parallel()
		server := start(t, bulkertest.Options{Faults: []bulkertest.Fault{{Moment: bulkertest.AtRow, Row: 3}}})
		if e := refused(t, client(t, server.URL, nil).Load(t.Context(), load(sidecar.Append, &madeRows{n: 200_000}))); e.Unknown {
			t.Errorf("rows that were not all sent cannot be committed: %+v", e)
		}
	})
}
