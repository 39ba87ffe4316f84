package destination

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/postgres/postgrestest"
)

// TestWaysToConnect: what libpq's users write gets to the server and brings rows there (https://www.postgresql.org/docs/current/libpq-connect.html).
func TestWaysToConnect(t *testing.T) {
	t.Parallel()
	server := postgrestest.Start(t)
	address, err := url.Parse(server.DSN())
	must(t, err)
	socket := postgrestest.Query(t, server.DSN(), `show unix_socket_directories`)[0]
	_, noSocket := os.Stat(socket)
	folder := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(folder, name)
		must(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	user, password, port := address.User.Username(), server.Password(), address.Port()
	pgpass := file("pgpass", fmt.Sprintf("# of libpq\n*:%s:postgres:%s:%s\n", port, user, password))
	service := file("services", fmt.Sprintf("[rows]\nhost=127.0.0.1\nport=%s\ndbname=postgres\nuser=%s\npassword=%s\nsslmode=disable\n", port, user,
		password))
	tcp := func(host, params string) string {
		return fmt.Sprintf("postgres://%s:%s@%s:%s/postgres?%s", user, password, host, port, params)
	}
	authority := encrypt(t, server, file)
	for name, c := range map[string]struct{ url, says string }{
		"words": {url: fmt.Sprintf("host=127.0.0.1 port=%s user=%s password='%s' dbname=postgres sslmode=disable", port, user,
			password)},
		"a unix socket":                  {url: fmt.Sprintf("host=%s port=%s user=%s password=%s dbname=postgres", socket, port, user, password)},
		"a unix socket in a URL":         {url: fmt.Sprintf("postgres://%s:%s@/postgres?host=%s&port=%s", user, password, url.QueryEscape(socket), port)},
		"the second of two hosts":        {url: tcp("127.0.0.1:1,127.0.0.1", "sslmode=disable&target_session_attrs=read-write")},
		"no host that can be written to": {url: server.DSN() + "&target_session_attrs=standby", says: "server is not in hot standby"},
		"a password file":                {url: fmt.Sprintf("postgres://%s@127.0.0.1:%s/postgres?sslmode=disable&passfile=%s", user, port, pgpass)},
		"a service file":                 {url: fmt.Sprintf("service=rows servicefile=%s", service)},
		"encryption":                     {url: tcp("127.0.0.1", "sslmode=require")},
		"encryption where there is some": {url: tcp("127.0.0.1", "")},
		"an authority that nobody knows": {url: tcp("127.0.0.1", "sslmode=verify-full"),
			says: "give sslrootcert=FILE in DESTINATION_URL"},
		"an authority": {url: tcp("127.0.0.1", "sslmode=verify-full&sslrootcert="+authority)},
		"another name": {url: tcp("localhost", "sslmode=verify-full&sslrootcert="+authority),
			says: "certificate"},
		"an authority alone": {url: tcp("localhost", "sslmode=verify-ca&sslrootcert="+authority)},
	} {
		t.Run(name, func(t *testing.T) {
			if noSocket != nil && strings.Contains(name, "socket") {
				t.Skip(noSocket)
			}
			client := openAt(t, c.url, nil)
			err := client.Ready(within(t))
			if c.says != "" {
				if err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), password) {
					t.Errorf("%v does not say %q", err, c.says)
				}
				return
			}
			must(t, err)
			orders := table("orders of "+name, properties(idAndV))
			must(t, begin(t, c.url, nil, nil, orders).load(0, sidecar.Append, `{"id":1,"v":"a"}`))
			equalLines(t, "rows", rowsOf(t, server.DSN(), quote("orders of "+name)), `{"v": "a", "id": 1}`)
		})
	}
}

// encrypt has the server encrypt connections, and returns the file of the authority that vouches for 127.0.0.1.
func encrypt(t *testing.T, server *postgrestest.Server, file func(name, text string) string) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	made := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	certificate, err := x509.CreateCertificate(rand.Reader, made, made, &key.PublicKey, key)
	must(t, err)
	secret, err := x509.MarshalECPrivateKey(key)
	must(t, err)
	text := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate}))
	secretText := string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: secret}))
	for name, content := range map[string]string{"server.crt": text, "server.key": secretText} {
		// Only the server's own user may write there, and read the key.
		const write = `copy (select unnest(string_to_array(%s, E'\n'))) to program 'umask 077; cat > %s'`
		postgrestest.Exec(t, server.DSN(), fmt.Sprintf(write, literal(content), name))
	}
	postgrestest.Exec(t, server.DSN(), `alter system set ssl = on`)
	postgrestest.Exec(t, server.DSN(), `select pg_reload_conf()`)
	awaitLine(t, server.DSN(), `select current_setting('ssl')`, "on")
	return file("authority", text)
}
