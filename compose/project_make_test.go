package compose

import (
	"strings"
	"testing"
)

// TestPart: what is secret becomes ${NAME}, and nothing else changes.
func TestPart(t *testing.T) {
	spec := `{"connectionSpecification":{"properties":{"key":{"type":"string","airbyte_secret":true},"a":{"properties":{"key":{"airbyte_secret":true}}},
		"list":{"type":"array","items":{"properties":{"odd name":{"airbyte_secret":true}}}}}}}`
	config := `{"a":{"key":"second-secret"},"count":12345678901234567890,"key":"first-secret","list":[{"odd name":"third-secret"}],"plain":"$${X} <b>",
		"known":"Bearer ${TOKEN}","gone":"${GONE}","url":"postgres://user:fourth-secret@host/db","host":"example.com"}`
	got, err := Part([]byte(config), []byte(spec), func(name string) (string, bool) { return "value of TOKEN", name == "TOKEN" })
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"key": "${KEY}"`, `"count": 12345678901234567890`, `"odd name": "${ODD_NAME}"`, `"plain": "$${X} <b>"`,
		`"Bearer ${TOKEN}"`, `"url": "${URL}"`, `"host": "example.com"`} {
		if !strings.Contains(string(got.Config), want) {
			t.Errorf("no %s in\n%s", want, got.Config)
		}
	}
	if strings.Contains(string(got.Config), "-secret") {
		t.Errorf("a secret is left in\n%s", got.Config)
	}
	want := map[string]string{"KEY": "second-secret", "KEY2": "", "TOKEN": "value of TOKEN", "URL": "postgres://user:fourth-secret@host/db"}
	delete(want, "KEY2")
	for name, value := range want {
		if got.Secrets[name] != value {
			t.Errorf("%s is %q, want %q", name, got.Secrets[name], value)
		}
	}
	if len(got.Secrets) != 5 || len(got.Missing) != 1 || got.Missing[0] != "GONE" {
		t.Errorf("secrets %v, missing %v", got.Secrets, got.Missing)
	}
}
