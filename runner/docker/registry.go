package docker

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/distribution/reference"
	"github.com/docker/docker/api/types/registry"
)

// dockerHub is what Docker calls its own registry in config.json.
const dockerHub = "https://index.docker.io/v1/"

// registryAuth is what `docker login` left for the registry of an image, encoded for the Engine; empty when there is nothing.
func registryAuth(ctx context.Context, configDir, image string) (string, error) {
	named, err := reference.ParseNormalizedNamed(image)
	if err != nil {
		return "", fmt.Errorf("image name %q: %w", image, err)
	}
	server := reference.Domain(named)
	if server == "docker.io" {
		server = dockerHub
	}
	var config struct {
		Auths       map[string]struct{ Auth, IdentityToken string }
		CredsStore  string
		CredHelpers map[string]string
	}
	if err := readJSON(filepath.Join(configDir, "config.json"), &config); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return "", nil
		}
		return "", err
	}
	helper := config.CredHelpers[server]
	if helper == "" {
		helper = config.CredsStore
	}
	auth := registry.AuthConfig{ServerAddress: server}
	if helper != "" {
		err = askHelper(ctx, helper, server, &auth)
	} else {
		stored := config.Auths[server]
		auth.IdentityToken = stored.IdentityToken
		var pair []byte
		pair, err = base64.StdEncoding.DecodeString(stored.Auth)
		user, password, _ := strings.Cut(string(pair), ":")
		auth.Username, auth.Password = user, strings.TrimRight(password, "\x00")
	}
	if err != nil {
		return "", fmt.Errorf("credentials for %s: %w", server, err)
	}
	if auth.Username == "" && auth.IdentityToken == "" {
		return "", nil
	}
	return registry.EncodeAuthConfig(auth)
}

// askHelper runs docker-credential-<helper> get, the protocol of docker/docker-credential-helpers. A server it does not know is no error.
func askHelper(ctx context.Context, helper, server string, auth *registry.AuthConfig) error {
	program := "docker-credential-" + helper
	command := exec.CommandContext(ctx, program, "get")
	command.Stdin = strings.NewReader(server)
	output, err := command.Output()
	if err != nil {
		if bytes.Contains(output, []byte("credentials not found")) {
			return nil
		}
		return fmt.Errorf("%s get: %w", program, err)
	}
	var answer struct{ Username, Secret string }
	if err := json.Unmarshal(output, &answer); err != nil {
		return fmt.Errorf("%s get: %w", program, err)
	}
	if answer.Username == "<token>" {
		auth.IdentityToken = answer.Secret
		return nil
	}
	auth.Username, auth.Password = answer.Username, answer.Secret
	return nil
}
