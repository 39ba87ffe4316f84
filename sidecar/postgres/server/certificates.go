package server

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5/pgxpool"
)

// Trust adds certificates, PEM texts, to connections that verify the server: of authorities, and our own with its key. An empty one is none. The
// error names the setting.
func Trust(setting string, config *pgxpool.Config, authorities, certificate, key []byte) error {
	var roots *x509.CertPool
	if len(authorities) > 0 {
		roots = x509.NewCertPool()
		if !roots.AppendCertsFromPEM(authorities) {
			return fmt.Errorf("%s: the certificate of the authority is no PEM text", setting)
		}
	}
	var own []tls.Certificate
	if len(certificate) > 0 || len(key) > 0 {
		pair, err := tls.X509KeyPair(certificate, key)
		if err != nil {
			return errors.New(setting + ": the client's certificate and key are no PEM texts that belong together")
		}
		own = append(own, pair)
	}
	for _, settings := range encryptions(config) {
		if roots != nil {
			settings.RootCAs = roots
		}
		settings.Certificates = append(settings.Certificates, own...)
	}
	return nil
}

// encryptions are the TLS settings of all attempts to connect, each once.
func encryptions(config *pgxpool.Config) []*tls.Config {
	all := []*tls.Config{config.ConnConfig.TLSConfig}
	for _, fallback := range config.ConnConfig.Fallbacks {
		if !slices.Contains(all, fallback.TLSConfig) {
			all = append(all, fallback.TLSConfig)
		}
	}
	return slices.DeleteFunc(all, func(t *tls.Config) bool { return t == nil })
}
