package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"sync-sidecar/sidecar/document"
	"sync-sidecar/sidecar/truststore"
)

// caFlag is of exec, which alone sees what is in the connector's container.
func caFlag() cli.Flag {
	return &cli.StringFlag{Name: "ca", EnvVars: []string{"CONNECTOR_CA_FILE"},
		Usage: "certificates that a connector in Java is to trust, too, a PEM `FILE`; others look at SSL_CERT_FILE and its like"}
}

// trustJava is the environment of a connector whose Java, where it has one, trusts the certificates of --ca, too. The store is put into a folder that
// the connector can write. It may do without: then the connection that needs them tells.
func trustJava(c *cli.Context, env environment, folder string) []string {
	file := c.String("ca")
	home := truststore.Home(env.getenv("JAVA_HOME"), env.getenv("PATH"))
	if file == "" || home == "" {
		return env.environ
	}
	added, err := document.Read(file)
	var store []byte
	if err == nil {
		store, err = truststore.Make(home, truststore.Bundles(), added, time.Now())
	}
	path := filepath.Join(folder, "truststore.jks")
	if store != nil {
		if writing := os.WriteFile(path, store, 0o644); writing != nil {
			store, err = nil, writing
		}
	}
	if err != nil {
		fmt.Fprintf(env.stderr, "sync-sidecar: --ca: Java in %s: %v\n", home, err)
	}
	if store == nil {
		return env.environ
	}
	const variable = "JAVA_TOOL_OPTIONS" // which every virtual machine reads, whatever starts it
	environ := make([]string, 0, len(env.environ)+1)
	for _, pair := range env.environ {
		if !strings.HasPrefix(pair, variable+"=") {
			environ = append(environ, pair)
		}
	}
	return append(environ, variable+"="+truststore.Options(env.getenv(variable), path))
}
