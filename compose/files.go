// Package compose holds the Docker Compose files of a connector with the sidecar beside it, and makes a project of them for a given connector: files
// that can be committed, and secrets apart from them. Its tests run all of it on a real Engine, with Compose 1.29 and with Compose 2.
package compose

import (
	"embed"
	"fmt"
	"io/fs"
)

// files are the Compose files as they stand here, so that a project that is made is the one that is tested.
//
//go:embed *.yaml
var files embed.FS

// Profiles are where rows, results and state of a project go.
const (
	ProfileLocal    = "local"    // a folder
	ProfilePostgres = "postgres" // results and state in a Postgres of the project
	ProfileBulker   = "bulker"   // that, and rows through a Bulker of the project
)

// mainFile is the file that all others add to.
const mainFile = "compose.yaml"

// profileFiles are the Compose files of a profile, beside the main one.
func profileFiles(profile string) ([]string, error) {
	switch profile {
	case "", ProfileLocal:
		return nil, nil
	case ProfilePostgres:
		return []string{"postgres.yaml"}, nil
	case ProfileBulker:
		return []string{"postgres.yaml", "bulker.yaml"}, nil
	}
	return nil, fmt.Errorf("profile %q is not one of %s, %s, %s", profile, ProfileLocal, ProfilePostgres, ProfileBulker)
}

// Additions are the files that a project can have beside those of its profile, by what asks for them.
func Additions() map[string]string {
	return map[string]string{"limits": "limits.yaml", "network": "network.yaml", "restart": "restart.yaml", "schedule": "schedule.yaml"}
}

// file is the content of one of the Compose files.
func file(name string) ([]byte, error) { return fs.ReadFile(files, name) }
