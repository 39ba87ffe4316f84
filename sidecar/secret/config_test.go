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
		"":                                     nil,
		"postgres://h/db":                      nil,
		"postgres://u@h/db":                    nil,
		"postgres://u:pass@h/db":               {"pass", "pass"},
		"postgres://u:p%2Fss@h/db":             {"p%2Fss", "p/ss"},
		"postgres://u:p[ss@h:port/db":          {"p[ss"}, // no URL that Go parses
		"postgres://h/db?password=pass":        {"pass"},
		"host=h user=u password=pass dbname=d": {"pass"},
		"host=h password='pa ss' user=u":       {"pa ss"},
		"password = pass":                      {"pass"},
	}
	for dsn, want := range tests {
		if got := secret.FromDSN(dsn); !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", dsn, got, want)
		}
	}
}
