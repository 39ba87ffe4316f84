// Package docker carries out a plan on a Docker Engine, near or far: files go in through the API, so that remote, rootless, Desktop and
// docker-in-docker Engines work alike. Only the folder of the sync is mounted, where a probe finds that the Engine sees it; else the sidecar reaches
// it through the API. In both cases its size costs nothing, rows are there as soon as they are acknowledged, and stay when the caller is killed.
//
// Three containers (init, the connector behind the shim, the sidecar) share one named volume for pipes, config and the binary; a second one holds
// what the connector must not see. Everything carries labels, so that what a killed run leaves behind can be found.
package docker

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/docker/docker/client"
)

// Daemon says which Engine to talk to, in the words of Docker's own environment.
type Daemon struct {
	Host       string // DOCKER_HOST; wins over Context
	Context    string // DOCKER_CONTEXT; empty is the current context of ConfigDir
	ConfigDir  string // DOCKER_CONFIG, by default ~/.docker
	CertPath   string // DOCKER_CERT_PATH, for a Host; by default ConfigDir
	TLSVerify  bool   // DOCKER_TLS_VERIFY
	APIVersion string // DOCKER_API_VERSION; empty negotiates
}

// dial makes a client for the daemon and proves that there is one.
func dial(ctx context.Context, daemon Daemon) (*client.Client, error) {
	options, err := daemon.options()
	if err != nil {
		return nil, err
	}
	engine, err := client.NewClientWithOpts(append(options, client.WithAPIVersionNegotiation())...)
	if err != nil {
		return nil, fmt.Errorf("set up the Docker client: %w", err)
	}
	if _, err := engine.Ping(ctx); err != nil {
		host := engine.DaemonHost()
		closeErr := engine.Close()
		return nil, errors.Join(fmt.Errorf("no Docker Engine answers at %s: %w; %s", host, err, hint(host)), closeErr)
	}
	return engine, nil
}

// hint is the next step when no Engine answers.
func hint(host string) string {
	step := "start Docker, or set DOCKER_HOST or DOCKER_CONTEXT; without Docker, run a local connector with --exec"
	path, isSocket := strings.CutPrefix(host, "unix://")
	if !isSocket {
		return step
	}
	if socket, err := os.OpenFile(path, os.O_RDWR, 0); errors.Is(err, fs.ErrPermission) {
		return "the socket is not yours to use: join the group docker, or use a rootless Engine (DOCKER_HOST)"
	} else if err == nil {
		// A socket cannot be opened as a file, so whatever is there is no Engine; closing it cannot matter.
		_ = socket.Close()
	}
	return step
}

// options are DOCKER_HOST, or the endpoint of the context, or the default socket, in this order. The client library leaves contexts to the CLI.
func (d Daemon) options() ([]client.Opt, error) {
	var options []client.Opt
	if d.APIVersion != "" {
		options = append(options, client.WithVersion(d.APIVersion))
	}
	host, tls := d.Host, tlsFiles{}
	if host == "" {
		endpoint, err := d.endpoint()
		if err != nil {
			return nil, err
		}
		host, tls = endpoint.host, endpoint.tls
	} else if d.TLSVerify || d.CertPath != "" {
		folder := d.CertPath
		if folder == "" {
			folder = d.ConfigDir
		}
		tls = tlsFilesIn(folder)
	}
	if strings.HasPrefix(host, "ssh://") {
		return nil, fmt.Errorf("the Docker Engine at %s is behind ssh, which only the docker command knows: forward its socket "+
			"(ssh -NL /tmp/docker.sock:/var/run/docker.sock …) and set DOCKER_HOST=unix:///tmp/docker.sock", host)
	}
	if tls != (tlsFiles{}) {
		options = append(options, client.WithTLSClientConfig(tls.ca, tls.cert, tls.key))
	}
	if host != "" {
		options = append(options, client.WithHost(host))
	}
	return options, nil
}

// endpoint is where a docker context points.
type endpoint struct {
	host string // empty for the default socket
	tls  tlsFiles
}

type tlsFiles struct{ ca, cert, key string }

// tlsFilesIn are the files that Docker looks for in such a folder.
func tlsFilesIn(folder string) tlsFiles {
	return tlsFiles{filepath.Join(folder, "ca.pem"), filepath.Join(folder, "cert.pem"), filepath.Join(folder, "key.pem")}
}

// endpoint reads the context as docker/cli stores it: contexts/meta/<sha256 of the name>/meta.json, and the TLS files beside (cli/context/store).
func (d Daemon) endpoint() (endpoint, error) {
	name := d.Context
	if name == "" {
		var config struct {
			CurrentContext string `json:"currentContext"`
		}
		if err := readJSON(filepath.Join(d.ConfigDir, "config.json"), &config); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return endpoint{}, err
		}
		name = config.CurrentContext
	}
	if name == "" || name == "default" {
		return endpoint{}, nil
	}
	digest := sha256.Sum256([]byte(name))
	id := hex.EncodeToString(digest[:])
	var meta struct {
		Endpoints map[string]struct{ Host string }
	}
	if err := readJSON(filepath.Join(d.ConfigDir, "contexts", "meta", id, "meta.json"), &meta); err != nil {
		return endpoint{}, fmt.Errorf("docker context %q: %w (docker context ls shows what there is)", name, err)
	}
	found := endpoint{host: meta.Endpoints["docker"].Host}
	if found.host == "" {
		return endpoint{}, fmt.Errorf("docker context %q has no docker endpoint", name)
	}
	folder := filepath.Join(d.ConfigDir, "contexts", "tls", id, "docker")
	if _, err := os.Stat(filepath.Join(folder, "ca.pem")); err == nil {
		found.tls = tlsFilesIn(folder)
	}
	return found, nil
}

func readJSON(path string, into any) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(content, into); err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	return nil
}
