package secret

import (
	"slices"
	"strings"
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
var secretEndings = []string{"password", "passphrase", "secret", "token", "apikey", "privatekey", "secretkey", "accesskey", "credentialsjson"}

// isSecretName says whether a property of this name is taken for a secret.
func isSecretName(name string) bool {
	name = plainName(name)
	if slices.Contains(secretNames, name) {
		return true
	}
	return slices.ContainsFunc(secretEndings, func(ending string) bool { return strings.HasSuffix(name, ending) })
}

// plainName makes api_key, api-key, "API key" and apiKey one name.
func plainName(name string) string {
	return strings.ToLower(strings.NewReplacer("_", "", "-", "", " ", "", ".", "").Replace(name))
}
