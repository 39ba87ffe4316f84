package truststore

import (
	"encoding/pem"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bundle is certificates as PEM, whatever is in them.
func bundle(certificates ...string) []byte {
	text := []byte("# a comment\n")
	for _, certificate := range certificates {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte(certificate)})...)
	}
	return text
}

func file(t *testing.T, path string, content []byte) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func texts(certificates [][]byte) []string {
	var all []string
	for _, certificate := range certificates {
		all = append(all, string(certificate))
	}
	return all
}

func TestWhatAStoreHolds(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	home := filepath.Join(folder, "jdk")
	own := file(t, filepath.Join(home, "lib/security/cacerts"), writeJKS([][]byte{[]byte("own"), []byte("both")}, time.Now()))
	java8 := filepath.Join(folder, "jdk8")
	file(t, filepath.Join(java8, "jre/lib/security/cacerts"), writeJKS([][]byte{[]byte("eight")}, time.Now()))
	bare := filepath.Join(folder, "bare")
	damaged := filepath.Join(folder, "damaged")
	whole, err := os.ReadFile(own)
	if err != nil {
		t.Fatal(err)
	}
	file(t, filepath.Join(damaged, "lib/security/cacerts"), whole[:len(whole)/2])
	system := file(t, filepath.Join(folder, "system.pem"), bundle("system"))
	for name, test := range map[string]struct {
		home    string
		bundles []string
		want    []string
		wrong   string
	}{
		"beside its own":            {home, []string{system}, []string{"added", "both", "own"}, ""},
		"Java 8":                    {java8, nil, []string{"added", "both", "eight"}, ""},
		"the system's":              {bare, []string{"/nowhere", system}, []string{"added", "both", "system"}, ""},
		"a store that is damaged":   {damaged, []string{system}, []string{"added", "both", "system"}, ""},
		"nothing else":              {bare, nil, []string{"added", "both"}, "not found"},
		"damaged, and nothing else": {damaged, nil, []string{"added", "both"}, "damaged/lib/security/cacerts: the key store is cut off"},
	} {
		store, err := Make(test.home, test.bundles, bundle("added", "both"), time.Now())
		if (err != nil) != (test.wrong != "") || err != nil && !strings.Contains(err.Error(), test.wrong) {
			t.Errorf("%s: %v, want %q", name, err, test.wrong)
		}
		found, err := readJKS(store)
		if got := texts(found); err != nil || !slices.Equal(got, test.want) {
			t.Errorf("%s: %q %v, want %q", name, got, err, test.want)
		}
	}
	if _, err := Make(home, nil, []byte("nothing"), time.Now()); err == nil {
		t.Error("made a store of nothing")
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ before, path, want string }{
		{"", "/p/t.jks", "-Djavax.net.ssl.trustStore=/p/t.jks -Djavax.net.ssl.trustStoreType=JKS -Djavax.net.ssl.trustStorePassword=changeit"},
		{"-Xmx1g", "/a b/t", `-Xmx1g -Djavax.net.ssl.trustStore="/a b/t" -Djavax.net.ssl.trustStoreType=JKS -Djavax.net.ssl.trustStorePassword=changeit`},
		{"-Djavax.net.ssl.trustStore=/mine", "/p", "-Djavax.net.ssl.trustStore=/mine"},
	} {
		if got := Options(test.before, test.path); got != test.want {
			t.Errorf("%s", got)
		}
	}
}

// No content makes a reader fail in another way than by an error.
func FuzzParse(f *testing.F) {
	f.Add(writeJKS([][]byte{[]byte("one"), []byte("two")}, time.Now()))
	f.Add([]byte{derSequence, 0x80, 0, 0})
	f.Fuzz(func(_ *testing.T, content []byte) {
		_, _ = parse(content) // it may be anything
	})
}

// homes are the development kits of this machine; the test is skipped without one.
func homes(t *testing.T) []string {
	t.Helper()
	found, err := filepath.Glob("/usr/lib/jvm/*/bin/javac")
	if err != nil {
		t.Fatal(err)
	}
	var homes []string
	for _, program := range found {
		home, err := filepath.EvalSymlinks(filepath.Dir(filepath.Dir(program)))
		if err == nil && !slices.Contains(homes, home) {
			homes = append(homes, home)
		}
	}
	if len(homes) == 0 {
		t.Skip("there is no Java here (javac)")
	}
	return homes
}

const client = `
import java.net.URI;
import javax.net.ssl.HttpsURLConnection;
public class Client {
	public static void main(String[] args) throws Exception {
		HttpsURLConnection to = (HttpsURLConnection) new URI(args[0]).toURL().openConnection();
		System.out.println("answered " + to.getResponseCode());
	}
}`

// Every Java here believes a server by the store that it does not believe by itself, and has its own certificates still.
func TestJavaTrustsIt(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts virtual machines")
	}
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	added := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	folder, homes := t.TempDir(), homes(t)
	run := func(home, program string, environ []string, args ...string) (string, error) {
		command := exec.CommandContext(t.Context(), filepath.Join(home, "bin", program), args...)
		command.Dir, command.Env = folder, environ
		output, err := command.CombinedOutput()
		return string(output), err
	}
	file(t, filepath.Join(folder, "Client.java"), []byte(client))
	if output, err := run(homes[0], "javac", nil, "--release", "8", "Client.java"); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	if output, err := run(homes[0], "java", nil, "Client", server.URL); err == nil || !strings.Contains(output, "PKIX path building failed") {
		t.Errorf("without it: %v %s", err, output)
	}
	for i, home := range homes {
		store, err := Make(home, nil, added, time.Now())
		if err != nil {
			t.Fatalf("%s: %v", home, err)
		}
		path := file(t, filepath.Join(folder, "a folder", fmt.Sprint(i), "truststore.jks"), store)
		output, err := run(home, "java", []string{"JAVA_TOOL_OPTIONS=" + Options("-Xmx256m", path)}, "Client", server.URL)
		if err != nil || !strings.Contains(output, "answered 404") {
			t.Errorf("%s: %v %s", home, err, output)
		}
		at := filepath.Join(home, ownStores()[0])
		if _, err := os.Stat(at); err != nil { // Java 8
			at = filepath.Join(home, ownStores()[1])
		}
		own, err := run(home, "keytool", nil, "-list", "-keystore", at, "-storepass", Password)
		found, reading := readJKS(store)
		if want := strings.Count(own, "trustedCertEntry") + 1; err != nil || reading != nil || len(found) != want || want < 10 {
			t.Errorf("%s: %d certificates, want %d: %v %v", home, len(found), want, err, reading)
		}
	}
}
