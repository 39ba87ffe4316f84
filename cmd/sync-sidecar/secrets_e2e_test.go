package main

import (
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sync-sidecar/sidecar/bulker/bulkertest"
	"sync-sidecar/sidecar/postgres/postgrestest"
)

// wantSecret fails the test when a secret stands in what the sidecar printed, in a file that it wrote, or in a row of the database ("" is none).
// The connector's configuration is the one place where it belongs, before and after the connector has changed it.
func (p *pod) wantSecret(got outcome, database string, secrets ...string) {
	p.t.Helper()
	for _, secret := range secrets {
		if strings.Contains(got.stderr, secret) {
			p.t.Errorf("stderr shows %s: %s", secret, got.stderr)
		}
		err := filepath.WalkDir(p.path("data"), func(path string, entry os.DirEntry, err error) error {
			if err != nil || !entry.Type().IsRegular() {
				return err
			}
			content, err := os.ReadFile(path)
			if strings.Contains(string(content), secret) {
				p.t.Errorf("%s shows %s", path, secret)
			}
			return err
		})
		if err != nil {
			p.t.Error(err)
		}
		if database == "" {
			continue
		}
		for _, table := range []string{"source_spec", "source_check", "source_catalog", "source_state", "source_task", "task_log"} {
			for _, line := range postgrestest.Query(p.t, database, "select t::text from "+table+" t") {
				if strings.Contains(line, secret) {
					p.t.Errorf("%s shows %s: %s", table, secret, line)
				}
			}
		}
	}
}

func passwordOf(t *testing.T, database string) string {
	t.Helper()
	parsed, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	password, _ := parsed.User.Password()
	if password == "" {
		t.Fatal("the test's database has no password")
	}
	return password
}

// spoiltURL is a database's URL with another password or another name.
func spoiltURL(t *testing.T, database, what string) string {
	t.Helper()
	parsed, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	if what == "password" {
		parsed.User = url.UserPassword(parsed.User.Username(), "sesame-pw")
	} else {
		parsed.Path = "/none"
	}
	return parsed.String()
}

// I5: the connector leaks its own secret everywhere it can, and changes it on the way.
func TestSecretsStayWhereTheyBelong(t *testing.T) {
	t.Parallel()
	for name, servers := range map[string]bool{"local": false, "servers": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPod(t, "read", `{`+demoCounts+`,"api_key":"sesame-key-1","emit_control":true,"faults":{`+
				`"log_secret":{},"error_trace":{"stream":"orders","after_row":150,"message":"login with sesame-key-1 and sesame-key-1-rotated-1 failed"},`+
				`"stdout_text":{"text":"{\"type\":\"RECORD\",\"record\":{\"stream\":\"sesame-key-1\",\"data\":{}}}"},`+
				`"stderr_text":{"text":"Traceback: key=sesame-key-1-rotated-1"},`+
				`"unknown_stream":{"name":"sesame-key-1-rotated-1"}}}`)
			p.set("LOG_LEVEL", "TRACE", "DB_LOG_LEVEL", "TRACE")
			database := ""
			var server *bulkertest.Server
			if servers {
				database = p.usePostgres()
				server = p.useBulker(bulkertest.Options{Token: "sesame-token-1"})
				p.set("LOGS_CONNECTION_ID", "logs-1")
			}
			got := p.run()
			got.want(t, exitPartial, "login with")
			p.wantSecret(got, database, "sesame")
			if servers {
				p.wantSecret(got, database, passwordOf(t, database))
				posts, err := server.Posts()
				if err != nil || len(posts) == 0 {
					t.Fatal(len(posts), err)
				}
				for _, post := range posts {
					if strings.Contains(string(post.Body), "sesame") {
						t.Errorf("Bulker was told %s", post.Body)
					}
				}
			}
			p.wantConfigUpdate("config/config.updated.json", "sesame-key-1-rotated-1")
		})
	}
}

// wantConfigUpdate checks the configuration that the connector changed: whole, and nobody else's to read.
func (p *pod) wantConfigUpdate(name, secret string) {
	p.t.Helper()
	content, err := os.ReadFile(p.path(name))
	if err != nil || !strings.Contains(string(content), `"api_key":"`+secret+`"`) {
		p.t.Errorf("%s: %s, %v", name, content, err)
		return
	}
	info, err := os.Stat(p.path(name))
	if err != nil || info.Mode() != fs.FileMode(0o600) {
		p.t.Errorf("%s: %v, %v", name, info.Mode(), err)
	}
}

// A changed configuration is kept the moment it is read, while the connector still runs, and whatever becomes of it.
func TestChangedConfigIsKeptAtOnce(t *testing.T) {
	t.Parallel()
	p := newPod(t, "read", `{"api_key":"sesame-key-1","emit_control":true,"count":1000000,"rate":100}`)
	p.set("CONFIG_UPDATE_FILE", p.path("kept.json"))
	sidecar := p.startSidecar()
	p.startSource()
	sidecar.stderr.await(t, "the connector changed its configuration")
	p.wantConfigUpdate("kept.json", "sesame-key-1-rotated-1")
	sidecar.kill()
	p.wantConfigUpdate("kept.json", "sesame-key-1-rotated-1")
}

// Where it cannot be kept, a person must hear of it: the connector's next run may not get in.
func TestChangedConfigThatCannotBeKept(t *testing.T) {
	t.Parallel()
	p := newPod(t, "check", `{"api_key":"sesame-key-1","emit_control":true}`)
	p.set("CONFIG_UPDATE_FILE", p.path("none/kept.json"))
	got := p.run()
	got.want(t, exitOK, "changed configuration could not be kept", "none/kept.json")
	p.wantSecret(got, "", "sesame")
}
