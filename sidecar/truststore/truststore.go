// Package truststore makes a trust store for a Java virtual machine: the certificates that it trusts as it is, and others beside them. Java looks at
// no variable such as SSL_CERT_FILE; it takes the file that javax.net.ssl.trustStore names, in place of its own.
package truststore

import (
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// maxFile is more than any list of authorities has.
const maxFile = 16 << 20

// ownStores are where a virtual machine has its own certificates, below its home: of a runtime, of Java 8's development kit.
func ownStores() []string { return []string{"lib/security/cacerts", "jre/lib/security/cacerts"} }

// Bundles are where distributions keep the certificates that they trust, as PEM; those that crypto/x509 knows for Linux.
func Bundles() []string {
	return []string{"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem", "/etc/pki/tls/cacert.pem",
		"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", "/etc/ssl/cert.pem"}
}

// Home is the folder of the virtual machine that a program would find: javaHome (JAVA_HOME), or else that of the first java in searchPath (PATH).
// Empty when there is none.
func Home(javaHome, searchPath string) string {
	if javaHome != "" {
		return javaHome
	}
	for _, dir := range filepath.SplitList(searchPath) {
		if program, err := filepath.EvalSymlinks(filepath.Join(dir, "java")); err == nil {
			return filepath.Dir(filepath.Dir(program)) // <home>/bin/java
		}
	}
	return ""
}

// Make is a trust store (JKS, with Password) of the certificates in added, PEM texts, and those that the virtual machine at home trusts by itself.
// Where its own cannot be read, those of the first of the bundles that is there take their place. When there is none either, the error says so, and
// the store holds what was added.
func Make(home string, bundles []string, added []byte, now time.Time) ([]byte, error) {
	certificates := fromPEM(added)
	if len(certificates) == 0 {
		return nil, errors.New("there is no certificate to add")
	}
	trusted, problem := own(home)
	if len(trusted) == 0 {
		trusted = fromBundles(bundles)
	}
	store := writeJKS(unique(append(certificates, trusted...)), now)
	if len(trusted) == 0 {
		return store, errors.Join(errors.New("the certificates that Java trusts by itself are not found"), problem)
	}
	return store, nil
}

// own are the certificates of a virtual machine's own store.
func own(home string) ([][]byte, error) {
	var problems []error
	for _, name := range ownStores() {
		path := filepath.Join(home, name)
		content, err := read(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		var found [][]byte
		if err == nil {
			found, err = parse(content)
		}
		if len(found) > 0 {
			return found, nil
		}
		problems = append(problems, fmt.Errorf("%s: %w", path, err))
	}
	return nil, errors.Join(problems...)
}

// parse reads a store of either kind.
func parse(content []byte) ([][]byte, error) {
	if len(content) > 0 && content[0] == derSequence {
		return readPKCS12(content)
	}
	return readJKS(content)
}

// fromBundles are the certificates of the first bundle that has some.
func fromBundles(bundles []string) [][]byte {
	for _, bundle := range bundles {
		if content, err := read(bundle); err == nil {
			if found := fromPEM(content); len(found) > 0 {
				return found
			}
		}
	}
	return nil
}

// read reads a file of a size that can be.
func read(path string) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular() || info.Size() > maxFile:
		return nil, errors.New("is no list of certificates")
	}
	return os.ReadFile(path)
}

// fromPEM are the certificates of a PEM text.
func fromPEM(content []byte) [][]byte {
	var found [][]byte
	for {
		block, rest := pem.Decode(content)
		if block == nil {
			return found
		}
		if block.Type == "CERTIFICATE" {
			found = append(found, block.Bytes)
		}
		content = rest
	}
}

// unique leaves out what is there twice.
func unique(certificates [][]byte) [][]byte {
	seen := map[string]bool{}
	var once [][]byte
	for _, certificate := range certificates {
		if !seen[string(certificate)] {
			seen[string(certificate)] = true
			once = append(once, certificate)
		}
	}
	return once
}

// Options are what JAVA_TOOL_OPTIONS has to hold so that every virtual machine uses the store at path: what it held before comes first. Unchanged
// when that names a store already.
func Options(before, path string) string {
	if strings.Contains(before, "-Djavax.net.ssl.trustStore=") {
		return before
	}
	if strings.ContainsAny(path, " \t") {
		path = `"` + path + `"`
	}
	return strings.TrimSpace(before + " -Djavax.net.ssl.trustStore=" + path +
		" -Djavax.net.ssl.trustStoreType=JKS -Djavax.net.ssl.trustStorePassword=" + Password)
}
