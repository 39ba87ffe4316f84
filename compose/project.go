package compose

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Project is what a made project runs.
type Project struct {
	Image      string // of the connector
	Entrypoint string // the connector's command, where the image has no AIRBYTE_ENTRYPOINT
	Sidecar    string // image of init and sidecar; empty is what `make image` builds
	SyncID     string
	Command    string // read, unless it is another
	Profile    string // see ProfileLocal
	// Additions are keys of Additions.
	Additions []string
	// Config is the connector's configuration, nil for a connector that needs none. Catalog is the configured one; without it every read asks the
	// connector for its streams.
	Config  Parted
	Catalog []byte
	// Settings are the sidecar's, by variable; SecretSettings those of them that are secrets and can be given as NAME_FILE.
	Settings, SecretSettings map[string]string
}

// File is one of a project.
type File struct {
	Content []byte
	Mode    fs.FileMode
}

// Modes of a project's files. Compose mounts a secret as it is, for whoever the container's user is: the folder's mode keeps others on this machine
// out.
const (
	fileMode   fs.FileMode = 0o644
	FolderMode fs.FileMode = 0o755
	SecretMode fs.FileMode = 0o700 // of the folder with the secrets
)

// SecretsFolder holds what is not to be committed.
const SecretsFolder = "secrets"

// mountedSecrets is where the sidecar's containers find the secrets.
const mountedSecrets = "/run/secrets"

// Files are the files of the project, by path with slashes. All but those in SecretsFolder can be committed.
func (p Project) Files() (map[string]File, error) {
	names, err := p.composeFiles()
	if err != nil {
		return nil, err
	}
	made := map[string]File{}
	for _, name := range names {
		if name == secretsFile {
			continue
		}
		content, err := file(name)
		if err != nil {
			return nil, err
		}
		made[name] = File{Content: content, Mode: fileMode}
	}
	env, err := p.env(names)
	if err != nil {
		return nil, err
	}
	made[".env"] = File{Content: env, Mode: fileMode}
	made[".gitignore"] = File{Content: []byte("/data/\n/" + SecretsFolder + "/\n"), Mode: fileMode}
	made["README.md"] = File{Content: p.readme(), Mode: fileMode}
	made["config/config.json"] = File{Content: orEmptyObject(p.Config.Config), Mode: fileMode}
	if p.Catalog != nil {
		made["config/catalog.json"] = File{Content: p.Catalog, Mode: fileMode}
	}
	if p.hasSecrets() {
		made[secretsFile] = File{Content: p.secretsYAML(), Mode: fileMode}
	}
	for name, value := range p.secretValues() {
		made[SecretsFolder+"/"+name] = File{Content: []byte(value), Mode: fileMode}
	}
	return made, nil
}

func orEmptyObject(config []byte) []byte {
	if config == nil {
		return []byte("{}\n")
	}
	return config
}

// secretsFile is the Compose file that hands the secrets out; it is the only one that differs from project to project.
const secretsFile = "secrets.yaml"

// composeFiles are the names of the project's Compose files, in the order in which they add to each other.
func (p Project) composeFiles() ([]string, error) {
	profile, err := profileFiles(p.Profile)
	problems := []error{err}
	names := append([]string{mainFile}, profile...)
	for _, addition := range p.Additions {
		name, known := Additions()[addition]
		if !known {
			problems = append(problems, fmt.Errorf("%q is not one of %s", addition, strings.Join(slices.Sorted(maps.Keys(Additions())), ", ")))
		}
		names = append(names, name)
	}
	if p.hasSecrets() {
		names = append(names, secretsFile)
	}
	return names, errors.Join(problems...)
}

// connectorSecrets are the names that the configuration stands with, sorted.
func (p Project) connectorSecrets() []string {
	return slices.Sorted(slices.Values(append(slices.Collect(maps.Keys(p.Config.Secrets)), p.Config.Missing...)))
}

func (p Project) hasSecrets() bool { return len(p.connectorSecrets())+len(p.SecretSettings) > 0 }

// secretValues are all values that are known, by the name of the secret.
func (p Project) secretValues() map[string]string {
	values := maps.Clone(p.Config.Secrets)
	if values == nil {
		values = map[string]string{}
	}
	for name, value := range p.SecretSettings {
		values[settingSecret(name)] = value
	}
	return values
}

// settingSecret is the secret of a setting, kept apart from the connector's: init fills no configuration in with it.
func settingSecret(variable string) string { return "sidecar." + strings.ToLower(variable) }

// secretsYAML is the Compose file of the secrets.
func (p Project) secretsYAML() []byte {
	var b strings.Builder
	b.WriteString("# Hands the secrets out: to init those of the connector, which it fills ${NAME} in config/config.json in with, to the sidecar\n" +
		"# its own. Each is a file in " + SecretsFolder + "/, which is not committed.\n\nservices:\n")
	all := p.connectorSecrets()
	if len(all) > 0 {
		b.WriteString("  init:\n    environment:\n      CONFIG_SECRETS: " + mountedSecrets + "\n    secrets:\n")
		for _, name := range all {
			b.WriteString("      - " + name + "\n")
		}
	}
	settings := slices.Sorted(maps.Keys(p.SecretSettings))
	if len(settings) > 0 {
		b.WriteString("  sidecar:\n    environment:\n")
		for _, name := range settings {
			b.WriteString("      " + name + "_FILE: " + mountedSecrets + "/" + settingSecret(name) + "\n")
		}
		b.WriteString("    secrets:\n")
		for _, name := range settings {
			b.WriteString("      - " + settingSecret(name) + "\n")
			all = append(all, settingSecret(name))
		}
	}
	b.WriteString("\nsecrets:\n")
	for _, name := range all {
		b.WriteString("  " + name + ":\n    file: ./" + SecretsFolder + "/" + name + "\n")
	}
	return []byte(b.String())
}

// plain are values that .env and every reader of it take as they are.
var plain = regexp.MustCompile(`^[A-Za-z0-9_./:@%+,=^~{}-]*$`)

// env is the project's .env: what Compose fills its files in with. The two versions read quotes, # and $ in it differently.
func (p Project) env(names []string) ([]byte, error) {
	lines := [][2]string{
		{"COMPOSE_PATH_SEPARATOR", ":"}, {"COMPOSE_FILE", strings.Join(names, ":")}, {"SOURCE_IMAGE", p.Image}, {"SOURCE_ENTRYPOINT", p.Entrypoint},
		{"CONFIG_DIR", "./config"}, {"DATA_DIR", "./data"}, {"SYNC_ID", p.SyncID}, {"COMMAND", cmp.Or(p.Command, "read")}, {"SIDECAR_IMAGE", p.Sidecar},
	}
	for _, name := range slices.Sorted(maps.Keys(p.Settings)) {
		lines = append(lines, [2]string{name, p.Settings[name]})
	}
	var problems []error
	text := "# Written by sync-sidecar compose. No secret is in here: it can be committed. docs/compose.md of sync-sidecar says what else can be set.\n"
	for _, line := range lines {
		switch {
		case line[1] == "":
		case !plain.MatchString(strings.ReplaceAll(line[1], " ", "")):
			problems = append(problems, fmt.Errorf("%s: %q has characters that Compose 1.29 and 2 read differently in .env", line[0], line[1]))
		default:
			text += line[0] + "=" + line[1] + "\n"
		}
	}
	return []byte(text), errors.Join(problems...)
}

// readme says how to run the project.
func (p Project) readme() []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\nRuns the connector `%s` with Sync Sidecar beside it.\n\n", p.SyncID, p.Image)
	if p.hasSecrets() {
		fmt.Fprintf(&b, "These secrets are not in the repository. Each is a file in `%[1]s/` (`mkdir -m 700 %[1]s`):\n\n", SecretsFolder)
		for _, name := range p.connectorSecrets() {
			fmt.Fprintf(&b, "- `%s`, of the connector\n", name)
		}
		for _, name := range slices.Sorted(maps.Keys(p.SecretSettings)) {
			fmt.Fprintf(&b, "- `%s`, which is %s of the sidecar\n", settingSecret(name), name)
		}
		b.WriteString("\n")
	}
	b.WriteString("```sh\ndocker compose up --exit-code-from sidecar sidecar\n```\n\n" +
		"`COMMAND=check docker compose up …` tries the configuration. The exit code is the sidecar's: 0 success, 1 failed, 2 bad\n" +
		"configuration, 3 a server failed, 4 partial, 5 check said FAILED, 6 timed out. `docker compose down --volumes` removes everything but `data/`.\n")
	return []byte(b.String())
}
