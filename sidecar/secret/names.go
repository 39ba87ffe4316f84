package secret

import (
	"slices"
	"strings"
	"unicode"
)

// secretNames are property names whose values are taken for secrets whether or not a spec says so. The words are those that Airbyte's
// connector acceptance test expects to be marked airbyte_secret (connector_acceptance_test, tests/test_core.py, fixture secret_property_names:
// client_token, access_token, api_token, token, secret, client_secret, password, key, service_account_info, service_account, certificate, jwt,
// credentials, refresh_token; without tenant_id and app_id, which are identifiers), and names that its official connectors mark.
// Written in lower case without separators: see plainName.
var secretNames = []string{
	"accesskey", "accesskeysecret", "accountkey", "apikey", "apikeyid", "apisecret", "appkey", "appsecret", "authkey", "authorization",
	"certificate", "clientcertificate", "clientkey", "clientkeypassword", "connectionstring", "consumerkey", "consumersecret", "cookie",
	"credentialsjson", "encryptionkey", "googlecredentials", "jwt", "key", "licensekey", "masterkey", "passphrase", "passwd", "password",
	"personalaccesstoken", "pin", "privatekey", "privatekeyid", "pwd", "sastoken", "secret", "secretaccesskey", "secretkey",
	"serviceaccount", "serviceaccountinfo", "serviceaccountjson", "serviceaccountkey", "sessiontoken", "sharedkey", "sharedsecret",
	"signingkey", "sshkey", "storageaccountkey", "token", "tokenid", "tokensecret", "tunnelprivatekey", "webhooksecret",
}

// secretEndings make a name of several words one of a secret: source_db_password, gitlab_access_token.
var secretEndings = []string{
	"password", "passphrase", "secret", "token", "apikey", "privatekey", "secretkey", "accesskey", "credentialsjson", "encryptionkey", "signingkey",
	"connectionstring",
}

// secretWords do the same where they are a word of their own: DB_PASS, not bypass.
var secretWords = []string{"pass", "pwd", "passwd", "jwt"}

// IsName says whether what stands under this name, of a property or a variable, is taken for a secret.
func IsName(name string) bool {
	plain := plainName(name)
	if slices.Contains(secretNames, plain) || slices.Contains(secretWords, lastWord(name)) {
		return true
	}
	return slices.ContainsFunc(secretEndings, func(ending string) bool { return strings.HasSuffix(plain, ending) })
}

// lastWord is the last word of DB_PASS, db-pass or dbPass, in lower case.
func lastWord(name string) string {
	word := name[strings.LastIndexAny(name, "_-. ")+1:]
	if word != strings.ToUpper(word) {
		word = word[max(0, strings.LastIndexFunc(word, unicode.IsUpper)):]
	}
	return strings.ToLower(word)
}

// plainName makes api_key, api-key, "API key" and apiKey one name.
func plainName(name string) string {
	return strings.ToLower(strings.NewReplacer("_", "", "-", "", " ", "", ".", "").Replace(name))
}
