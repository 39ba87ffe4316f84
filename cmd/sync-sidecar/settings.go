package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
	"sync-sidecar/sidecar/loader"
	"sync-sidecar/sidecar/mapping"
	"sync-sidecar/sidecar/postgres"
	pgdest "sync-sidecar/sidecar/postgres/destination"
	"sync-sidecar/sidecar/secret"
	"sync-sidecar/sidecar/session"
	"sync-sidecar/sidecar/spool"
)

// settings are the values of the flags of sidecarFlags, validated.
type settings struct {
	config     session.Config
	streams    mapping.Options
	startup    time.Duration // how long servers may be away at the start
	configFile string
	catalog    string
	stateFile  string
	localDir   string
	// folderSocket is where whoever has the local folder connects (package remote); empty where that is localDir.
	folderSocket string
	bulker       bulkerSettings
	tables       pgdest.Options   // of the Postgres that takes the rows; no URL when none does
	journal      postgres.Options // of the Postgres that keeps results, state and status; no URL when the local folder does
	rows         destination      // where the rows of a read go; its zero value is the local folder
	rowsFile     string           // DESTINATION_CONFIG_FILE
	secrets      []string         // of SECRETS_FILE
	passwords    []string         // in the values of marked flags
	logLevel     airbyte.Level
	sinkLevel    airbyte.Level
	json         bool
	showRows     int // of each stream, when a read ends
	metrics      metricSettings
}

// metricSettings say how operators watch the session.
type metricSettings struct {
	address, endpoint, headers string
	timeout                    time.Duration
}

// bulkerSettings say where Bulker is.
type bulkerSettings struct {
	url, token, logsID string
	deduplicate        bool
	loadTimeout        time.Duration
	liveFor            time.Duration
}

// problems collects what is wrong with the settings, so that a person sees all of it at once.
type problems struct{ errs []error }

func (p *problems) add(variable, format string, args ...any) {
	p.errs = append(p.errs, fmt.Errorf("%s: %s", variable, fmt.Sprintf(format, args...)))
}

// readSettings reads and validates the flags. The error joins everything that is wrong, each part naming its variable.
func readSettings(c *cli.Context, env environment, command sidecar.Command) (settings, error) {
	p := &problems{}
	s := settings{config: session.DefaultConfig(), configFile: orPreset(c, "config-file"), catalog: orPreset(c, "catalog-file"),
		stateFile: orPreset(c, "state-file"), localDir: orPreset(c, "local-dir")}
	s.config.Command = command
	s.config.Identity = identity(c, p)
	s.config.ConfigUpdateFile = c.String("config-update-file")
	if s.config.ConfigUpdateFile == "" {
		s.config.ConfigUpdateFile = filepath.Join(filepath.Dir(s.configFile), "config.updated.json")
	}
	s.streams = mapping.Options{FullSync: c.Bool("full-sync"), Chunked: c.Bool("full-refresh-chunked"),
		Tables: mapping.TableOptions{Namespace: c.String("namespace"), Prefix: c.String("table-name-prefix"), ToSameCase: c.Bool("to-same-case")}}
	s.config.StreamLimit, s.config.StreamLimitRound = atLeast(c, p, "stream-limit", 0), c.Int("stream-limit-round")
	if s.config.StreamLimit > 0 && s.streams.FullSync {
		p.add("STREAM_LIMIT", "has no meaning with FULL_SYNC: tables would be left with these rows alone, and no state to go on from")
	}
	s.config.AddMeta = c.Bool("add-meta")
	s.config.AllowReservedKeys = c.Bool("allow-reserved-keys")
	s.config.DropLargeFields = choice(c, p, "oversize-rows", "fail", "drop-fields") == "drop-fields"
	s.config.RejectNonFinite = choice(c, p, "non-finite-numbers", "null", "fail") == "fail"
	readBatches(c, p, &s.config)
	readDeadlines(c, p, &s.config.Deadlines)
	s.startup = positive(c, p, "startup-timeout")
	var marked map[string]string
	marked, s.passwords = readMarked(c, env, p)
	var err error
	if s.rows, err = chooseDestination(destinations(), marked); err != nil {
		p.errs = append(p.errs, err)
	}
	s.bulker = readBulker(c, p, marked)
	s.journal = postgres.Options{URL: marked["DATABASE_URL"], Identity: s.config.Identity}
	s.rowsFile = orPreset(c, "destination-config-file")
	s.tables = pgdest.Options{URL: marked["DESTINATION_URL"], Setting: "DESTINATION_URL", Schema: orPreset(c, "journal-schema"),
		Identity: s.config.Identity, ToSameCase: c.Bool("to-same-case"), KeepDuplicates: !c.Bool("deduplicate"), LoadTimeout: c.Duration("load-timeout"),
		Connections: connectionsFor(s.config.Load.Concurrency)}
	s.keepJournalWithRows()
	if s.journal.URL != "" {
		if err := s.journal.Validate(); err != nil {
			p.errs = append(p.errs, err)
		}
	}
	if s.rows.needsSyncID != "" && s.config.Identity.SyncID == "" && command == sidecar.CommandRead {
		p.add("SYNC_ID", "is needed with %s: %s", s.rows.variable, s.rows.needsSyncID)
	}
	s.secrets = readSecrets(c, p)
	s.logLevel, s.sinkLevel = level(c, p, "log-level"), level(c, p, "db-log-level")
	s.json = choice(c, p, "log-format", "text", "json") == "json"
	if s.showRows = c.Int("show-rows"); s.showRows < 0 {
		p.add("SHOW_ROWS", "%d is less than 0", s.showRows)
	}
	s.metrics = metricSettings{address: c.String("metrics-address"), endpoint: c.String("otel-exporter-otlp-endpoint"),
		headers: marked["OTEL_EXPORTER_OTLP_HEADERS"],
		timeout: time.Duration(atLeast(c, p, "otel-exporter-otlp-timeout", 1)) * time.Millisecond}
	if s.metrics.address != "" {
		if _, port, err := net.SplitHostPort(s.metrics.address); err != nil || port == "" {
			p.add("METRICS_ADDRESS", "%q is not host:port or :port", s.metrics.address)
		}
	}
	return s, errors.Join(p.errs...)
}

// identity says whose sync this is.
func identity(c *cli.Context, p *problems) sidecar.Identity {
	id := sidecar.Identity{
		SyncID:         c.String("sync-id"),
		TaskID:         c.String("task-id"),
		Package:        c.String("package"),
		PackageVersion: c.String("package-version"),
		StorageKey:     c.String("storage-key"),
		StartedBy:      c.String("started-by"),
		StartedAt:      time.Now().UTC(),
	}
	if value := c.String("started-at"); value != "" {
		started, err := time.Parse(time.RFC3339, value)
		if err != nil {
			p.add("STARTED_AT", "%q is not a time like 2006-01-02T15:04:05Z", value)
		} else {
			id.StartedAt = started
		}
	}
	if id.StartedBy != "" && c.String("database-url") == "" && !json.Valid([]byte(id.StartedBy)) {
		p.add("STARTED_BY", "is not JSON")
	}
	if id.TaskID == "" {
		id.TaskID = "task-" + id.StartedAt.Format("20060102T150405.000000000")
	}
	readShard(c, p, &id)
	return id
}

func readBatches(c *cli.Context, p *problems, config *session.Config) {
	config.Load.Batch = loader.BatchConfig{Rows: atLeast(c, p, "batch-rows", 1), Bytes: atLeast(c, p, "batch-bytes", 1),
		Age: positive(c, p, "batch-age"), StateAge: c.Duration("state-age")}
	config.Load.Concurrency = int(atLeast(c, p, "load-concurrency", 1))
	config.Load.Spool = spool.Config{Dir: c.String("spool-dir"), Memory: atLeast(c, p, "spool-memory", 0), Limit: atLeast(c, p, "spool-limit", 0),
		MinFree: atLeast(c, p, "spool-min-free", 0)}
	const shortest = 1024
	config.MaxLineBytes = int(atLeast(c, p, "max-line-bytes", shortest))
	config.Load.Retry.For = c.Duration("retry-for")
}

func readDeadlines(c *cli.Context, p *problems, d *session.Deadlines) {
	d.PipeOpen = positive(c, p, "pipe-open-timeout")
	d.FirstMessage = positive(c, p, "first-message-timeout")
	d.Silence = positive(c, p, "silence-timeout")
	d.Journal = positive(c, p, "journal-timeout")
	d.Shutdown = positive(c, p, "shutdown-grace")
	d.AliveOn = session.AliveOn(choice(c, p, "alive-on", string(session.AliveAny), string(session.AliveMessages), string(session.AliveRecords)))
	hours := c.Float64("task-timeout-hours")
	if hours <= 0 {
		p.add("TASK_TIMEOUT_HOURS", "%v is not above 0", hours)
	}
	d.Task = time.Duration(hours * float64(time.Hour))
}

func readBulker(c *cli.Context, p *problems, marked map[string]string) bulkerSettings {
	b := bulkerSettings{
		url:         marked["BULKER_URL"],
		token:       marked["BULKER_AUTH_TOKEN"],
		logsID:      c.String("logs-connection-id"),
		deduplicate: c.Bool("deduplicate"),
		loadTimeout: positive(c, p, "load-timeout"),
		liveFor:     positive(c, p, "live-timeout"),
	}
	if b.url != "" {
		if parsed, err := url.Parse(b.url); err != nil || parsed.Host == "" || parsed.Scheme != "http" && parsed.Scheme != "https" {
			p.add("BULKER_URL", "is not of the form http://host:port")
		}
	} else if b.logsID != "" {
		p.add("LOGS_CONNECTION_ID", "needs BULKER_URL")
	}
	return b
}

// readMarked reads the marked flags of the command: their values, by variable, and the secrets in these.
func readMarked(c *cli.Context, env environment, p *problems) (values map[string]string, secrets []string) {
	values = map[string]string{}
	for _, flag := range markedFlags(c.Command.Flags) {
		value := c.String(flag.Name)
		if flag.secret {
			value = secretValue(env, p, flag.variable(), value)
		}
		values[flag.variable()] = value
		secrets = append(secrets, flag.secretsIn(value)...)
	}
	return values, secrets
}

// secretValue is the value of a secret, which is given, or in the file that <variable>_FILE names.
func secretValue(env environment, p *problems, variable, value string) string {
	path := env.getenv(variable + "_FILE")
	if value != "" && path != "" {
		p.add(variable+"_FILE", "is set, and so is %s: which one is meant?", variable)
	}
	if value != "" || path == "" {
		return value
	}
	content, err := os.ReadFile(path)
	if err != nil {
		p.add(variable+"_FILE", "%v", err)
	}
	return strings.TrimSpace(string(content))
}

// readSecrets are the texts that SECRETS_FILE holds.
func readSecrets(c *cli.Context, p *problems) []string {
	path := c.String("secrets-file")
	if path == "" {
		return nil
	}
	content, err := os.ReadFile(path)
	if err != nil {
		p.add("SECRETS_FILE", "%v", err)
		return nil
	}
	secrets, err := secret.FromTexts(content)
	if err != nil {
		p.add("SECRETS_FILE", "%s: %v", path, err)
	}
	return secrets
}

// variableOf is the environment variable of a flag.
func variableOf(name string) string { return strings.ToUpper(strings.ReplaceAll(name, "-", "_")) }

// orPreset is the text of a flag; empty, as a Compose file passes on what is not set, means the preset.
func orPreset(c *cli.Context, name string) string {
	if value := c.String(name); value != "" {
		return value
	}
	return presets()[name]
}

// presets are the default values of the text flags of sidecarFlags.
func presets() map[string]string {
	values := map[string]string{}
	for _, flag := range sidecarFlags() {
		if preset, ok := flag.(*cli.StringFlag); ok {
			values[preset.Name] = preset.Value
		}
	}
	return values
}
