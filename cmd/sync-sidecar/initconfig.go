package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"sync-sidecar/runner"
	"sync-sidecar/sidecar/atomicfile"
	"sync-sidecar/sidecar/document"
	"sync-sidecar/sidecar/volume"
)

// copyConfig copies the connector's configuration and catalog to where the connector may rewrite them.
func copyConfig(c *cli.Context, from, to string) error {
	if err := volume.CopyConfig(from, to, c.Int64("copy-config-limit")); err != nil {
		return withCode(exitEnvironment, err)
	}
	if err := fillSecrets(c, to); err != nil {
		return withCode(exitUsage, err)
	}
	if err := forgetCatalog(c, from, to); err != nil {
		return withCode(exitEnvironment, err)
	}
	return nil
}

// fillSecrets fills ${NAME} in the copied configuration in from the files of CONFIG_SECRETS, so that the configuration can be kept where everybody
// may see it.
func fillSecrets(c *cli.Context, folder string) error {
	secrets := c.String("config-secrets")
	if secrets == "" {
		return nil
	}
	return changeConfig(folder, func(name string, config []byte) ([]byte, error) {
		var missing []error
		filled, err := runner.Expand(name, config, func(variable string) (string, bool) {
			value, err := os.ReadFile(filepath.Join(secrets, variable))
			if err != nil {
				missing = append(missing, fmt.Errorf("CONFIG_SECRETS: ${%s} in config.json: %w", variable, err))
			}
			return strings.TrimRight(string(value), "\r\n"), err == nil
		})
		if len(missing) > 0 {
			err = errors.Join(missing...)
		}
		return filled, err
	})
}

// useRotatedConfig puts the configuration that the connector made of its own (a rotated token) in the place of the one in the folder, where
// CONFIG_UPDATE_FILE names a file that outlives the folder. choose is one of the two functions of package runner that know which one it is.
func useRotatedConfig(c *cli.Context, folder string, choose func(updated string, given []byte) ([]byte, bool, error)) error {
	updated := c.String("config-update-file")
	if updated == "" {
		return nil
	}
	return changeConfig(folder, func(_ string, config []byte) ([]byte, error) {
		chosen, _, err := choose(updated, config)
		return chosen, err
	})
}

// forgetCatalog removes the catalog that `catalog` made for an earlier run.
func forgetCatalog(c *cli.Context, from, to string) error {
	if !c.Bool("forget-catalog") {
		return nil
	}
	for _, name := range []string{runner.CatalogFile, runner.CatalogFile + ".gz"} {
		if _, err := os.Stat(filepath.Join(from, name)); !errors.Is(err, fs.ErrNotExist) {
			return err // nil where the user has given one
		}
	}
	if err := os.Remove(filepath.Join(to, runner.CatalogFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove the catalog of an earlier run: %w", err)
	}
	return nil
}

// adoptRotatedConfig keeps what the connector made of its configuration while `catalog` asked it for its streams: that is newer than what
// CONFIG_UPDATE_FILE holds.
func adoptRotatedConfig(c *cli.Context) error {
	made, updated := filepath.Join(filepath.Dir(orPreset(c, "config-file")), runner.ConfigUpdateFile), c.String("config-update-file")
	if updated == "" || updated == made {
		return nil
	}
	config, err := document.Read(made)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = atomicfile.Replace(updated, config, 0o600)
	}
	if err == nil {
		err = os.Remove(made)
	}
	if err != nil {
		return fmt.Errorf("keep the configuration that the connector changed: %w", err)
	}
	return nil
}

// changeConfig changes the config.json of a folder, if there is one: spec needs none.
func changeConfig(folder string, change func(name string, config []byte) ([]byte, error)) error {
	path := filepath.Join(folder, runner.ConfigFile)
	config, err := document.Read(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the configuration: %w", err)
	}
	changed, err := change(path, config)
	if err != nil || string(changed) == string(config) {
		return err
	}
	if err := writeConnectorFile(path, changed); err != nil {
		return fmt.Errorf("write the configuration: %w", err)
	}
	return nil
}
