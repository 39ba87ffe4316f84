package bulker_test

import (
	"encoding/json"
	"net"
	"strings"
	"testing"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/bulker"
	"sync-sidecar/sidecar/bulker/bulkertest"
)

func TestUnreachable(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	c := client(t, "http://user:pass@"+address, nil)
	for name, err := range map[string]error{
		"load":  c.Load(t.Context(), load(sidecar.Append, numbered(1))),
		"live":  c.Load(t.Context(), load(sidecar.Append, live())),
		"ready": c.Ready(t.Context()),
	} {
		e := refused(t, err)
		if !e.Environment || e.Permanent || e.Unknown {
			t.Errorf("%s: %+v", name, e)
		}
		for _, want := range []string{"BULKER_URL", address, "connection refused"} {
			if !strings.Contains(e.Error(), want) {
				t.Errorf("%s: %q does not say %q", name, e, want)
			}
		}
		if strings.Contains(e.Error(), "pass") {
			t.Errorf("%s: %q shows the password", name, e)
		}
	}
}

func TestTokenStaysSecret(t *testing.T) {
	t.Parallel()
	const secret = `s3cr"et&t/ken`
	server := start(t, bulkertest.Options{Token: "right"})
	c := client(t, server.URL, func(o *bulker.Options) { o.Token = secret })
	sink, err := bulker.NewLogSink(bulker.Options{URL: server.URL, Token: secret, DestinationID: "logs"})
	if err != nil {
		t.Fatal(err)
	}
	defer sink.Close()
	e := refused(t, c.Load(t.Context(), load(sidecar.Append, numbered(1))))
	if !e.Permanent || !e.Environment || !strings.Contains(e.Message, "BULKER_AUTH_TOKEN") {
		t.Errorf("%+v", e)
	}
	logged := sink.AppendLogs(t.Context(), []sidecar.LogRecord{{Message: "x"}})
	if logged == nil || !strings.Contains(logged.Error(), "BULKER_AUTH_TOKEN") {
		t.Errorf("log: %v", logged)
	}
	o := bulker.Options{URL: "http://u:pw1@h", Token: secret}
	encoded, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{e.Error(), logged.Error(), c.String(), sink.String(), o.String(), o.GoString(), string(encoded)} {
		for _, part := range []string{"s3cr", "t/ken", "pw1"} {
			if strings.Contains(text, part) {
				t.Errorf("%q shows a secret", text)
			}
		}
	}
}

func TestOptionErrors(t *testing.T) {
	t.Parallel()
	for want, o := range map[string]bulker.Options{
		"BULKER_URL is empty":                     {DestinationID: "d"},
		"BULKER_URL is not a URL":                 {URL: "bulker:3042", DestinationID: "d"},
		`names host ""`:                           {URL: "http://u:secret@%zz", DestinationID: "d"},
		"must not have a query":                   {URL: "http://h/?token=secret", DestinationID: "d"},
		"set SYNC_ID":                             {URL: "http://h"},
		"BULKER_AUTH_TOKEN contains a line break": {URL: "http://h", DestinationID: "d", Token: "secret\n"},
	} {
		if _, err := bulker.New(o); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if _, err := bulker.NewLogSink(bulker.Options{URL: "http://h"}); err == nil || !strings.Contains(err.Error(), "LOGS_CONNECTION_ID") {
		t.Errorf("%v", err)
	}
}
