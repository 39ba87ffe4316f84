// Package runner turns what a user asked for (a Task) into what has to be started (a Plan): the argv, environment and files of init, of the
// connector behind the shim, and of the sidecar. It starts nothing and reads no environment; runner/docker and runner/process carry plans out.
package runner

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/shutdown"
)

// Task is one command for one connector. Exactly one of Image and Program is set.
type Task struct {
	Command sidecar.Command
	SyncID  string // whose state, results and rows these are; also a folder name
	TaskID  string // this run
	// Image is the connector's image; Program is the argv of a local connector, without the command and its options.
	Image   string
	Program []string
	// Config, Catalog and State are the files the connector is given, as JSON. Nil is not given.
	Config  []byte
	Catalog []byte
	State   []byte
	// CA are certificates, as PEM, that the connector trusts in place of those of its image; nil leaves them.
	CA []byte
	// Names are what the caller calls those files, by the name of the file that the connector gets (ConfigFile, CatalogFile, StateFile).
	Names map[string]string
	// LoadState lets init write the state that the journal holds. It has no effect when State is given.
	LoadState bool
	// LocalDir is the caller's folder, absolute, for whatever no server takes.
	LocalDir string
	// ConnectorEnv is added to the environment of the connector, as KEY=VALUE; a later entry wins.
	ConnectorEnv []string
	// Secrets are values beside those of Config that nothing may show, such as those in ConnectorEnv.
	Secrets []string
	// Settings are environment variables of the sidecar by name, beside those that a plan sets itself.
	Settings map[string]string
	// SecretSettings are the names of all settings, set or not, that carry a secret: NAME reaches the sidecar as the file NAME_FILE, and the connector
	// inherits neither.
	SecretSettings []string
	// AddressSettings are the names of all settings that hold the address of a server.
	AddressSettings []string
	// RowsAtServer says that rows go elsewhere than to LocalDir, JournalAtServer that results, states and status do.
	RowsAtServer, JournalAtServer bool
	StartedAt                     time.Time
	// SidecarArgs are the arguments of our binary for the process beside the connector; nil is the mode sidecar, which delivers.
	SidecarArgs []string
	// Round is above 0 for a read of which only some rows are wanted, and which is begun again for the streams that the connector did not come to.
	Round int
	// Grace is how long the connector may take to end after SIGTERM before it is killed.
	Grace time.Duration
}

// Names of the files that the connector is given.
const (
	ConfigFile  = "config.json"
	CatalogFile = "catalog.json"
	StateFile   = "state.json"
	CAFile      = "ca.pem"
)

// nameOf is what messages call one of those files.
func (t Task) nameOf(file string) string {
	if name := t.Names[file]; name != "" {
		return name
	}
	return map[string]string{ConfigFile: "the configuration", CatalogFile: "the discovered catalog", StateFile: "the saved state"}[file]
}

// Folder is the caller's folder of this sync. The sidecar names it so for every SyncID that Validate accepts (sidecar/local.Dir).
func (t Task) Folder() string { return filepath.Join(t.LocalDir, t.SyncID) }

// Identity is whose sync the task is of, as a sidecar learns it from its settings.
func (t Task) Identity() sidecar.Identity {
	name, version := t.Package()
	return sidecar.Identity{SyncID: t.SyncID, TaskID: t.TaskID, Package: name, PackageVersion: version,
		StorageKey: cmp.Or(t.Settings["STORAGE_KEY"], t.SyncID), StartedBy: t.Settings["STARTED_BY"], StartedAt: t.StartedAt.UTC()}
}

// IsSecret says whether the setting of this name carries a secret.
func (t Task) IsSecret(name string) bool { return slices.Contains(t.SecretSettings, name) }

// SidecarGrace is how long the sidecar may take: its own SHUTDOWN_GRACE, after which it has written its verdict, and a margin.
func (t Task) SidecarGrace() time.Duration {
	grace, err := time.ParseDuration(t.Settings["SHUTDOWN_GRACE"])
	if err != nil || grace <= 0 { // not set here, or for the sidecar to complain about
		grace = shutdown.DefaultGrace
	}
	return grace + graceMargin
}

const graceMargin = 5 * time.Second

// SyncIDPattern keeps a SyncID usable as a folder name and a label on every engine.
const SyncIDPattern = `^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$`

var syncIDPattern = regexp.MustCompile(SyncIDPattern)

// Validate says everything that is wrong with the task, at once.
func (t Task) Validate() error {
	var problems []error
	if (t.Image == "") == (len(t.Program) == 0) {
		problems = append(problems, errors.New("give the connector either as an image (--image) or as a local program (--exec)"))
	}
	if (t.Image != "" || len(t.Program) > 0) && !syncIDPattern.MatchString(t.SyncID) {
		problems = append(problems, fmt.Errorf(
			"SYNC_ID (--sync-id) %q: use letters, digits, '.', '_' and '-', at most 100, beginning with a letter or digit", t.SyncID))
	}
	if t.Config == nil && t.Command != sidecar.CommandSpec {
		problems = append(problems, fmt.Errorf("%s needs --config FILE ('{}' for a connector that needs none; `run spec` shows what it takes)", t.Command))
	}
	if t.Catalog == nil && t.Command == sidecar.CommandRead {
		problems = append(problems, errors.New("read needs a configured catalog (--catalog FILE)"))
	}
	for _, pair := range t.ConnectorEnv {
		if name, _, found := strings.Cut(pair, "="); !found || name == "" {
			problems = append(problems, fmt.Errorf("--env %q: write NAME=VALUE", name))
		}
	}
	return errors.Join(problems...)
}

// Package splits the connector's image, or names its program: what PACKAGE and PACKAGE_VERSION say in the journal.
func (t Task) Package() (name, version string) {
	if t.Image == "" {
		return ProgramName(t.Program), "local"
	}
	return SplitImage(t.Image)
}

// SplitImage parts a reference into repository and tag or digest; without either the version is "latest", as the Engine reads it.
func SplitImage(reference string) (repository, version string) {
	if repository, digest, found := strings.Cut(reference, "@"); found {
		return repository, digest
	}
	// A colon before the last slash belongs to the port of a registry.
	if colon := strings.LastIndexByte(reference, ':'); colon > strings.LastIndexByte(reference, '/') {
		return reference[:colon], reference[colon+1:]
	}
	return reference, "latest"
}

// interpreter matches programs that run a script: what they are called says nothing of the connector.
var interpreter = regexp.MustCompile(`^(python|pypy|node|deno|bun|ruby|php|perl|bash|sh)[0-9.]*$`)

// ProgramName is what to call a local connector: the base name of its program, or of the script that an interpreter is given first.
func ProgramName(argv []string) string {
	if len(argv) == 0 {
		return ""
	}
	name := path.Base(argv[0])
	if len(argv) > 1 && interpreter.MatchString(name) && !strings.HasPrefix(argv[1], "-") {
		return path.Base(argv[1])
	}
	return name
}

// notInSyncID are the characters that SyncIDFor replaces.
var notInSyncID = regexp.MustCompile(`[^A-Za-z0-9._-]+`)

// SyncIDFor is the sync that is meant when the user names none: one per connector.
func SyncIDFor(image string, program []string) string {
	name := ProgramName(program)
	if image != "" {
		repository, _ := SplitImage(image)
		name = path.Base(repository)
	}
	return strings.TrimLeft(notInSyncID.ReplaceAllString(name, "-"), "._-")
}
