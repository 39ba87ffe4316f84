package main

import (
	"encoding/pem"
	"net/http/httptest"
	"strings"
	"testing"
)

// The certificates of --ca are where each kind of program looks, and in a store for Java where that is there. That Java believes it is a test of
// package truststore.
func TestRunGivesCertificates(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	c := newCommandLine(t)
	c.file("ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})))
	connector := c.connector(oneStream, `
for file in "$SSL_CERT_FILE" "$REQUESTS_CA_BUNDLE" "$CURL_CA_BUNDLE" "$NODE_EXTRA_CA_CERTS"; do cmp -s "$file" "`+c.dir+`/ca.pem" || wrong=1; done
store=$(echo "$JAVA_TOOL_OPTIONS" | sed -n 's/^-Xmx1g -Djavax.net.ssl.trustStore=\([^ ]*\) .*/\1/p')
[ -z "$store" ] || magic=$(head -c 2 "$store" | od -An -tx1)
echo '{"type":"CONNECTION_STATUS","connectionStatus":{"status":"SUCCEEDED","message":"wrong='$wrong' magic='$magic'"}}';;`)
	c.wants("certificates", c.run("run", "check", "--exec", connector, "--config", "{}", "--no-validate", "--ca", "ca.pem", "--env",
		"JAVA_TOOL_OPTIONS=-Xmx1g", "--env", "JAVA_HOME="+c.dir), exitOK, "wrong= magic= fe ed")
	c.file("empty.pem", "nothing")
	for file, want := range map[string]string{"empty.pem": "holds no certificate in PEM form", "none.pem": "no such file"} {
		if got := c.run("run", "check", "--exec", connector, "--config", "{}", "--ca", file); got.code != exitUsage || !strings.Contains(got.stderr, want) {
			t.Errorf("%s: %d %s", file, got.code, got.stderr)
		}
	}
}
