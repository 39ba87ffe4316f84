package server

import (
	"strings"
	"testing"
)

func TestParseURL(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]struct {
		name, schema string
		tls          bool // of the first attempt
		params       int
	}{
		"postgres://u:p@db.example/jitsu?sslmode=disable":                                 {name: "postgres db.example:5432/jitsu"},
		"postgresql://u:p@db.example:6543/jitsu?sslmode=disable":                          {name: "postgres db.example:6543/jitsu"},
		"postgresql://u:p@db.example/jitsu":                                               {name: "postgres db.example:5432/jitsu", tls: true},
		"postgres://u:p@db.example/jitsu?sslmode=require":                                 {name: "postgres db.example:5432/jitsu", tls: true},
		"postgres://u:p@h/d?schema=x&sslmode=no-verify":                                   {name: "postgres h:5432/d schema x", schema: "x", tls: true},
		"postgres://u:p%40%2F@db.example/d?schema=a%20b&sslmode=disable":                  {name: "postgres db.example:5432/d schema a b", schema: "a b"},
		"postgres://u:p@[::1]/jitsu?sslmode=disable&application_name=mine":                {name: "postgres [::1]:5432/jitsu", params: 1},
		"host=db.example user=u password='p p' dbname=jitsu sslmode=disable schema=x":     {name: "postgres db.example:5432/jitsu schema x", schema: "x"},
		"postgres://u:p@db.example/jitsu?sslmode=disable&pgbouncer=true&pool_timeout=9":   {name: "postgres db.example:5432/jitsu"},
		"postgres://u:p@db.example/jitsu?sslmode=disable&connection_limit=no&sslaccept=x": {name: "postgres db.example:5432/jitsu"},
		" postgres://u:p@db.example/jitsu?sslmode=disable\n":                              {name: "postgres db.example:5432/jitsu"},
		// libpq takes these passwords as they are.
		"postgres://u:p?q@db.example/jitsu?sslmode=disable": {name: "postgres db.example:5432/jitsu"},
		"postgres://u:p#q@db.example/jitsu?sslmode=disable": {name: "postgres db.example:5432/jitsu"},
		"postgres://u:p:q@db.example/jitsu?sslmode=disable": {name: "postgres db.example:5432/jitsu"},
		// An @ where it stands for itself.
		"postgres://u%40azure:p@db.example/jitsu?sslmode=disable":               {name: "postgres db.example:5432/jitsu"},
		"postgres://db.example/jitsu?user=u@azure&password=p@q&sslmode=disable": {name: "postgres db.example:5432/jitsu"},
		"postgres://db.example/a%40b?sslmode=disable&application_name=me@x":     {name: "postgres db.example:5432/a@b", params: 1},
		"postgres://u:p@h1:1,h2:2/d?sslmode=disable":                            {name: "postgres h1:1/d"},
		"host=db.example user=u password=p@/#?:q dbname=d sslmode=disable":      {name: "postgres db.example:5432/d"},
		"postgres://u:p@h/d?sslmode=disable&client_encoding=LATIN1":             {name: "postgres h:5432/d"},
		"postgres://u:p@h/d?sslmode=disable&myapp.x=1&search_path=a,b":          {name: "postgres h:5432/d", params: 2},
	} {
		got, err := ParseURL("DATABASE_URL", url)
		if err != nil {
			t.Errorf("%s: %v", url, err)
			continue
		}
		if got.Name != want.name || got.Schema != want.schema {
			t.Errorf("%s: got %q and schema %q", url, got.Name, got.Schema)
		}
		config := got.Config.ConnConfig
		if (config.TLSConfig != nil) != want.tls || len(config.RuntimeParams) != want.params+1 || config.RuntimeParams["client_encoding"] != "UTF8" {
			t.Errorf("%s: got TLS %v and parameters %v", url, config.TLSConfig != nil, config.RuntimeParams)
		}
	}
}

// No part of a password, and nothing else of the URL, may be quoted, whatever is wrong.
func TestParseURLErrors(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"":                                    "DATABASE_URL is empty",
		"  ":                                  "DATABASE_URL is empty",
		"mysql://u:hunter2@h/d":               "want postgres://",
		"postgres://u:hun%ter2@h/d":           "percent-encode",
		"postgres://u:hun ter2@h:x/d":         "percent-encode",
		"postgres://u:hunter2@h:99999999/d":   "want postgres://",
		"postgres://u:hunter2@[::1/d":         "want postgres://",
		"host=h password=hunter2 port=abc":    "want postgres://",
		"host=h password='hunter2 dbname=d":   "want postgres://",
		"host=h password=hun ter2 dbname=d":   "password='…'",
		"host=h password=hunter2 dbname":      "password='…'",
		"postgres://u:hunter2@h/d?sslmode=on": "sslmode is invalid: want disable",
		// What is no URL of libpq's would become a parameter, which the server repeats.
		"Postgres://u:hunter2@h/d?sslmode=disable":              "want postgres://",
		"postgresql+psycopg2://u:hunter2@h/d?sslmode=disable":   "want postgres://",
		"jdbc:postgresql://h/d?user=u&password=hunter2":         "want postgres://",
		`"postgres://u:hunter2@h/d?sslmode=disable"`:            "without quotes",
		"DATABASE_URL=postgres://u:hunter2@h/d?sslmode=disable": "want postgres://",
		"'postgres://u:hunter2@h/d'":                            "without quotes",
		"postgres://u:hunter2@h/d?hun-ter2=x":                   "want postgres://",
		// What is not escaped comes out somewhere else.
		"postgres://u:hun@ter2@h/d":                 "not escaped",
		"postgres://u:@hunter2@h/d":                 "not escaped",
		"postgres://u:hunter2@@h/d":                 "not escaped",
		"postgres://u:hun/ter2@h/d":                 "not escaped",
		"postgres://u:/hunter2@h/d":                 "not escaped",
		"postgres://u:12/hunter2@h/d":               "not escaped",
		"postgres://u:12/hunter2@h/d?sslmode=on":    "not escaped",
		"postgres://u:hun@t/er2@h/d":                "not escaped",
		"postgres://u:hun@te#r2@h/d":                "not escaped",
		"postgres://u:12/?hunter2@h/d":              "not escaped",
		"postgres://u:12/?hun=ter2@h/d":             "not escaped",
		"postgres://u:12/?a=b&hunter2@h/d":          "not escaped",
		"postgres://u:hun@h:ter2@h/d":               "not escaped",
		"postgres://u:hun@ter2,x@h1,h2/d":           "not escaped",
		"postgres://u@azure:hunter2@h/d":            "not escaped",
		"postgres://u:hunter2@h/d#hunter2":          "not escaped",
		"postgresql://u:hun@ter2@h/d":               "not escaped",
		"postgres://u:hun@ter2@h/d?schema=x&y=ter2": "%40",
	} {
		_, err := ParseURL("DATABASE_URL", url)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "DATABASE_URL") {
			t.Errorf("%s: got %v, want %q", url, err, want)
			continue
		}
		for _, secret := range []string{"hun", "ter2", "jdbc", "mysql"} {
			if strings.Contains(err.Error(), secret) {
				t.Errorf("%s: %q quotes the password", url, err)
			}
		}
	}
}

// FuzzParseURL: a password of any characters, escaped or not, is read as it is, or refused without a word of it.
func FuzzParseURL(f *testing.F) {
	for _, password := range []string{"p@ss", "a/b", "a#b", "a?b", "a:b", "a%b", "a b", "12/34", "a@b/c?d=e#f", "[x", "'", `\`} {
		f.Add("Kx7"+password+"Kx7", true)
		f.Add("Kx7"+password+"Kx7", false)
	}
	f.Fuzz(func(t *testing.T, password string, keywords bool) {
		if strings.ContainsRune(password, 0) || !strings.HasPrefix(password, "Kx7") || !strings.HasSuffix(password, "Kx7") {
			return
		}
		dsn := "postgres://u:" + password + "@db.example/d?sslmode=disable"
		if keywords {
			dsn = "host=db.example user=u dbname=d sslmode=disable password=" + password
		}
		got, err := ParseURL("DATABASE_URL", dsn)
		if err != nil {
			if strings.Contains(err.Error(), "Kx7") {
				t.Errorf("%q: %v", dsn, err)
			}
			return
		}
		c := got.Config.ConnConfig
		shown := got.Name + c.Host + c.Database + c.User
		for name, value := range c.RuntimeParams {
			shown += name + value
		}
		if strings.Contains(shown, "Kx7") && !keywords {
			t.Errorf("%q: shown as %q, %v", dsn, got.Name, c.RuntimeParams)
		}
	})
}
