package secret_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"sync-sidecar/sidecar/secret"
)

// Shaped as the specs of official connectors are: an OAuth or key choice by oneOf, an SSH tunnel, lists of accounts.
const spec = `{"connectionSpecification":{
	"definitions":{"login":{"type":"object","properties":{"user":{"type":"string"},"pass":{"type":"string","airbyte_secret":true}}}},
	"properties":{
		"host":{"type":"string"},
		"api":{"type":"string","airbyte_secret":true},
		"account":{"type":"integer","airbyte_secret":true},
		"textual":{"airbyte_secret":"true"},
		"bundle":{"type":"object","airbyte_secret":true},
		"auth":{"type":"object","oneOf":[
			{"properties":{"kind":{"const":"oauth"},"refresh":{"airbyte_secret":true}}},
			{"properties":{"kind":{"const":"key"},"code":{"airbyte_secret":true}}}]},
		"any":{"anyOf":[{"airbyte_secret":true},{"type":"null"}]},
		"all":{"allOf":[{"$ref":"#/definitions/login"}]},
		"logins":{"type":"array","items":{"$ref":"#/definitions/login"}},
		"pair":{"type":"array","items":[{"type":"string"},{"airbyte_secret":true}]},
		"headers":{"type":"object","additionalProperties":{"airbyte_secret":true}},
		"pattern":{"type":"object","patternProperties":{"^x":{"airbyte_secret":true}}},
		"loop":{"$ref":"#/properties/loop"},
		"odd":{"$ref":"https://elsewhere/schema"},
		"broken":{"$ref":"#/nowhere/at/all"}
	}}}`

func TestFromConfigBySpec(t *testing.T) {
	tests := map[string]struct {
		config string
		want   []string
	}{
		"a property":            {`{"api":"value-1","host":"not this"}`, []string{"value-1"}},
		"a number":              {`{"account":123456789012345678901}`, []string{"123456789012345678901"}},
		"marked by text":        {`{"textual":"value-1"}`, []string{"value-1"}},
		"a whole object":        {`{"bundle":{"a":"value-1","b":["value-2",{"c":"value-3"}],"d":true}}`, []string{"value-1", "value-2", "value-3"}},
		"the branch that fits":  {`{"auth":{"kind":"oauth","refresh":"value-1"}}`, []string{"value-1"}},
		"the other branch":      {`{"auth":{"kind":"key","code":"value-1"}}`, []string{"value-1"}},
		"anyOf":                 {`{"any":"value-1"}`, []string{"value-1"}},
		"allOf and a reference": {`{"all":{"user":"not this","pass":"value-1"}}`, []string{"value-1"}},
		"a list":                {`{"logins":[{"user":"no","pass":"value-1"},{"pass":"value-2"}]}`, []string{"value-1", "value-2"}},
		"a place in a list":     {`{"pair":["not this","value-1"]}`, []string{"value-1"}},
		"unnamed properties":    {`{"headers":{"x":"value-1"},"pattern":{"xy":"value-2"}}`, []string{"value-1", "value-2"}},
		"references nowhere":    {`{"loop":{"a":"no"},"odd":"no","broken":"no"}`, nil},
		"a value of other type": {`{"logins":"no","pair":{"a":"no"},"auth":7}`, nil},
	}
	message := `{"type":"SPEC","spec":` + spec + `}`
	bare := strings.TrimSuffix(strings.TrimPrefix(spec, `{"connectionSpecification":`), "}")
	for name, test := range tests {
		for form, text := range map[string]string{"specification": spec, "message": message, "schema": bare} {
			if got := secret.FromConfig([]byte(test.config), []byte(text)); !slices.Equal(got, test.want) {
				t.Errorf("%s, by %s: got %q, want %q", name, form, got, test.want)
			}
		}
	}
}

func TestFromConfigByName(t *testing.T) {
	tests := map[string]struct {
		config string
		want   []string
	}{
		"names": {`{"password":"v1","api_key":"v2","accessToken":"v3","client-secret":"v4","Private Key":"v5","db_password":"v6",
			"user":"no","tokens_per_page":"no"}`,
			[]string{"v1", "v2", "v3", "v4", "v5", "v6"}},
		"nested":             {`{"credentials":{"auth_type":"no","refresh_token":"v1"},"list":[{"secret":"v2"}]}`, []string{"v1", "v2"}},
		"a list of them":     {`{"token":["v1","v2"]}`, []string{"v1", "v2"}},
		"a number":           {`{"password":123456}`, []string{"123456"}},
		"no value":           {`{"password":null,"token":true}`, nil},
		"a connection URL":   {`{"url":"mongodb://me:p%40ss@h/db"}`, []string{"p%40ss", "p@ss"}},
		"a secret parameter": {`{"url":"https://h/x?api_key=v1&page=2"}`, []string{"v1"}},
		"an authorization":   {`{"authorization":"Bearer v1"}`, []string{"Bearer v1", "v1"}},
		"JSON in a text": {`{"service_account_json":"{\"type\":\"service_account\",\"private_key\":\"v1\"}"}`,
			[]string{"v1", `{"type":"service_account","private_key":"v1"}`}},
	}
	for name, test := range tests {
		got := secret.FromConfig([]byte(test.config), nil)
		slices.Sort(test.want)
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
	}
}

func TestFromConfigOfNoJSON(t *testing.T) {
	if got := secret.FromConfig([]byte("{"), []byte(spec)); len(got) != 0 {
		t.Errorf("got %q", got)
	}
	if got := secret.FromConfig([]byte(`{"password":"v1"}`), []byte("]")); !slices.Equal(got, []string{"v1"}) {
		t.Errorf("got %q, want what the name says", got)
	}
}

// A spec comes from the connector: one that multiplies at each step must not hold us up.
func TestFromConfigOfAHostileSpec(t *testing.T) {
	hostile := `{"definitions":{"a":{"anyOf":[{"$ref":"#/definitions/a"},{"$ref":"#/definitions/a"}]}},"$ref":"#/definitions/a"}`
	began := time.Now()
	secret.FromConfig([]byte(`{"a":1}`), []byte(hostile))
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("took %v", took)
	}
}

func TestFromDSN(t *testing.T) {
	tests := map[string][]string{
		"":                                      nil,
		"postgres://h/db":                       nil,
		"postgres://u@h/db":                     nil,
		"postgres://u:pass@h/db":                {"pass"},
		"postgres://u:p%2Fss@h/db":              {"p%2Fss", "p/ss"},
		"postgres://u:p[ss@h:port/db":           {"p[ss"}, // no URL that Go parses
		"postgres://h/db?password=pass":         {"pass"},
		"host=h user=u password=pass dbname=d":  {"pass"},
		"host=h password='pa ss' user=u":        {"pa ss"},
		"password = pass":                       {"pass"},
		`host=h password='it\'s\\x' user=u`:     {`it\'s\\x`, `it's\x`},
		"Server=h;Database=d;Password=pass;X=1": {"pass;X=1", "pass"},
		"Server=h;Pwd=pass":                     {"pass"},
		"jdbc:postgresql://h/d?password=pass":   {"pass"},
		"postgres://h/d?sslpassword=pa%20ss":    {"pa ss"},
		// libpq takes these as they are.
		"postgres://u:pa?ss@h/db": {"pa?ss"},
		"postgres://u:pa#ss@h/db": {"pa#ss"},
		"postgres://u:pa:ss@h/db": {"pa:ss"},
		// These come apart, and each part can turn up in an error.
		"postgres://u:pa@ss@h/db":       {"pa@ss", "pa", "ss"},
		"postgres://u:pa/ss@h/db":       {"pa/ss", "pa", "ss"},
		"postgres://u:pa@s/s@h/db":      {"pa", "pa@s/s", "s"},
		"mongodb://u:12/3?4@h/db?w=x":   {"12/3?4", "12", "3", "4"},
		"https://h:8080/a@b":            nil,
		"https://h/a@b?mail=c@d":        nil,
		"https://u:pass@h/a@b?m=c@d":    {"pass"},
		"mongodb://u:pass@h/d?mail=a@b": {"pass"},
		"mongodb://h/d?mail=a@b":        nil,
	}
	for dsn, want := range tests {
		if got := secret.FromDSN(dsn); !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", dsn, got, want)
		}
	}
}

func TestFromEnv(t *testing.T) {
	got := secret.FromEnv([]string{
		"API_TOKEN=v1", "DB_PASS=v2", "smtp-pass=v3", "dbPass=v4", "PGPASSWORD=v5", "AWS_SECRET_ACCESS_KEY=v6", "AUTHORIZATION=Bearer v7",
		"DATABASE=postgres://u:v8@h/d", `GOOGLE={"type":"service_account","private_key":"v9"}`, "KEY=a=b",
		"PWD=/tmp", "OLDPWD=/tmp", "BYPASS=no", "COMPASS=no", "HOME=/root", "TOKENS_PER_PAGE=10", "novalue", "=no",
	})
	want := []string{"Bearer v7", "a=b", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestFromTexts(t *testing.T) {
	for document, want := range map[string][]string{
		`["v1","v2"]`: {"v1", "v2"},
		`{"a":"v1","b":{"c":["v2",12345678901234567890,true,null]}}`: {"12345678901234567890", "v1", "v2"},
		`[]`: nil,
	} {
		if got, err := secret.FromTexts([]byte(document)); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: got %q and %v, want %q", document, got, err, want)
		}
	}
	if _, err := secret.FromTexts([]byte("hunter2")); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("no JSON: %v", err)
	}
}
