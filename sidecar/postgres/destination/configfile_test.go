package destination

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/postgres/postgrestest"
)

// TestParseConfig reads what Jitsu's console writes, and more.
func TestParseConfig(t *testing.T) {
	t.Parallel()
	for content, want := range map[string]string{
		`{"destinationType":"postgres","host":"db.example","port":5433,"database":"shop","defaultSchema":"public","username":"u","password":"p w@/?#%",
			"parameters":{"application_name":"x","connect_timeout":7},"unknown":[1]}`: "u:p w@/?#% db.example:5433/shop public 7s",
		`{"destinationType":"postgres","host":"db.example","port":"5433"}`:                                   "root: db.example:5433/  10s",
		`{"destinationType":"postgres","host":"/var/run/postgresql","username":"","password":""}`:            "root: /var/run/postgresql:5432/  10s",
		`{"destinationType":"postgres","host":"h","sslMode":"disable","password":"a'b\\c\"","username":"é"}`: `é:a'b\c" h:5432/  10s`,
		`{"destinationType":"postgres","host":"h","database":"a/b c","defaultSchema":"my schema"}`:           "root: h:5432/a/b c my schema 10s",
	} {
		options, err := ParseConfig("file", []byte(content))
		if err != nil {
			t.Errorf("%s: %v", content, err)
			continue
		}
		address, schema, err := options.withDefaults().connection()
		must(t, err)
		c := address.Config.ConnConfig
		user := c.User
		if !strings.Contains(content, `"username":"u"`) && !strings.Contains(content, "é") {
			user = "root" // of the machine
		}
		got := fmt.Sprintf("%s:%s %s:%d/%s %s %v", user, c.Password, c.Host, c.Port, c.Database, schema, c.ConnectTimeout)
		if got != want {
			t.Errorf("%s: %q, want %q", content, got, want)
		}
	}
}

// TestParseConfigErrors names the file and the field, and no value that may be secret.
func TestParseConfigErrors(t *testing.T) {
	t.Parallel()
	missing := filepath.Join(t.TempDir(), "none")
	for content, want := range map[string]string{
		`nonsense`:                         "file: it is no JSON object",
		`[]`:                               "file: it is no JSON object",
		`{}`:                               `file: it has no destinationType: want "postgres"`,
		`{"destinationType":7}`:            "destinationType is no text",
		`{"destinationType":"clickhouse"}`: `destinationType "clickhouse" is none that the sidecar delivers to by itself`,
		`{"destinationType":"postgres","host":7}`:                                                 `field "host" is a JSON number, want string`,
		`{"destinationType":"postgres","parameters":["hunter2"]}`:                                 `field "parameters" is a JSON array, want object`,
		`{"destinationType":"postgres","parameters":{"a":{"b":"hunter2"}}}`:                       `parameter "a" is no text`,
		`{"destinationType":"postgres","port":"hunter2"}`:                                         "port is no number",
		`{"destinationType":"postgres","port":70000}`:                                             "port must be 1 to 65535",
		`{"destinationType":"postgres","sslMode":"DISABLE"}`:                                      `sslMode "DISABLE" is none`,
		`{"destinationType":"postgres","sslMode":"verify-ca","sslServerCA":"hunter2"}`:            "the certificate of the authority is no PEM text",
		`{"destinationType":"postgres","sslMode":"verify-ca","sslClientKey":"hunter2"}`:           "certificate and key are no PEM texts",
		`{"destinationType":"postgres","sslMode":"verify-ca","sslServerCA":"` + missing + `"}`:    "sslServerCA: open " + missing,
		`{"destinationType":"postgres","authenticationMethod":"google-psc","password":"hunter2"}`: `authenticationMethod "google-psc" is not supported`,
	} {
		_, err := ParseConfig("file", []byte(content))
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") || !strings.HasPrefix(err.Error(), "file") {
			t.Errorf("%s: %v, want %q", content, err, want)
		}
	}
}

// TestConfigFileConnects loads rows by a file, into its default schema, by TCP and by a unix socket.
func TestConfigFileConnects(t *testing.T) {
	t.Parallel()
	address := postgrestest.Database(t)
	parsed, err := url.Parse(address)
	must(t, err)
	password, _ := parsed.User.Password()
	folder := postgrestest.Query(t, address, `show unix_socket_directories`)[0]
	for schema, host := range map[string]string{"by tcp": parsed.Hostname(), "by_socket": folder} {
		content := fmt.Sprintf(`{"destinationType":"postgres","host":%q,"port":%s,"database":%q,"username":%q,"password":%q,"defaultSchema":%q,
			"sslMode":"disable"}`, host, parsed.Port(), strings.TrimPrefix(parsed.Path, "/"), parsed.User.Username(), password, schema)
		options, err := ParseConfig("file", []byte(content))
		must(t, err)
		r := begin(t, options.URL, func(o *Options) {
			options.Identity = o.Identity
			*o = options
		}, nil, table("orders", properties(idAndV)))
		if host == folder {
			if _, err := os.Stat(folder); err != nil {
				t.Skip(err)
			}
		}
		must(t, r.load(0, sidecar.Append, `{"id":1,"v":"a"}`))
		equalLines(t, schema, postgrestest.Query(t, address, `select id, v from `+quote(schema)+`.orders`), "1|a")
	}
}
