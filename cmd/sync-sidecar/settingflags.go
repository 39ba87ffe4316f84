package main

import (
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"sync-sidecar/sidecar/loader"
	"sync-sidecar/sidecar/session"
)

// Categories of flags in --help.
const (
	categorySync        = "The sync"
	categoryFiles       = "Files"
	categoryDestination = "Where rows, results and state go"
	categoryTables      = "Tables and rows"
	categoryBatches     = "Batches and spool"
	categoryDeadlines   = "Deadlines"
	categoryLogs        = "Logs"
	categoryMetrics     = "Metrics"
)

// sidecarFlags are the flags of everything that delivers: each has an environment variable, and most are read in a pod from nothing else.
func sidecarFlags() []cli.Flag {
	preset := session.DefaultConfig()
	return slices.Concat(syncFlags(), tableFlags(), batchFlags(preset.MaxLineBytes, preset.Load), deadlineFlags(preset.Deadlines), logFlags(),
		metricFlags())
}

// syncFlags say whose sync it is, and where things are.
func syncFlags() []cli.Flag {
	return []cli.Flag{
		text(categorySync, "sync-id", "SYNC_ID", "", "name of the sync: the key of its state; at Bulker, the destination's id"),
		text(categorySync, "task-id", "TASK_ID", "", "name of this run (default: made from the time)"),
		&cli.IntFlag{Category: categorySync, Name: "shards", EnvVars: []string{"SHARDS"},
			Usage: "how many Pods share the streams of this read out among them, all with one TASK_ID"},
		&cli.IntFlag{Category: categorySync, Name: "shard", EnvVars: []string{"SHARD"}, Usage: "which of them this one is, from 0"},
		text(categorySync, "package", "PACKAGE", "", "the connector, e.g. airbyte/source-faker"),
		text(categorySync, "package-version", "PACKAGE_VERSION", "", "the connector's version"),
		text(categorySync, "storage-key", "STORAGE_KEY", "", "key of the results of check and discover"),
		text(categorySync, "started-at", "STARTED_AT", "", "when the task began, RFC 3339 (default: now)"),
		text(categorySync, "started-by", "STARTED_BY", "", "who began the task, JSON"),
		&cli.BoolFlag{Category: categorySync, Name: "full-sync", EnvVars: []string{"FULL_SYNC"},
			Usage: "read every stream anew: no state is loaded, tables are replaced"},
		&cli.Int64Flag{Category: categorySync, Name: "stream-limit", EnvVars: []string{"STREAM_LIMIT"},
			Usage: "so many rows of each stream are enough: the read ends, and the next one has the rest; 0 reads all"},
		&cli.IntFlag{Category: categorySync, Name: "stream-limit-round", Hidden: true,
			Usage: "run's own: end when one stream has far more while others wait, which it then asks for"},

		text(categoryFiles, "config-file", "CONFIG_FILE", "/config/config.json", "the connector's configuration"),
		text(categoryFiles, "catalog-file", "CATALOG_FILE", "/config/catalog.json", "the configured catalog"),
		text(categoryFiles, "state-file", "STATE_FILE", "/config/state.json", "the state that the connector starts from; may be missing"),
		text(categoryFiles, "secrets-file", "SECRETS_FILE", "", "JSON whose texts appear in no log, as those of CONFIG_FILE: what else the connector is given"),
		text(categoryFiles, "config-update-file", "CONFIG_UPDATE_FILE", "",
			"where a configuration that the connector changed is kept (default: config.updated.json beside CONFIG_FILE)"),

		text(categoryDestination, "local-dir", "LOCAL_DIR", "/data",
			"folder that takes rows, results and state where no server is configured for them"),
		addressFlag(categoryDestination, "bulker-url", "BULKER_URL", "Bulker server that takes the rows"),
		secretFlag(categoryDestination, "bulker-auth-token", "BULKER_AUTH_TOKEN", "token for Bulker"),
		secretAddressFlag(categoryDestination, "destination-url", "DESTINATION_URL",
			"Postgres that takes the rows, in place of a Bulker server: postgres://user:password@host:5432/database"),
		text(categoryDestination, "destination-config-file", "DESTINATION_CONFIG_FILE", "/config/destinationConfig.json",
			"the destination as Jitsu's sync-controller describes it (destinationType postgres); read where BULKER_URL and DESTINATION_URL are not set"),
		text(categoryDestination, "journal-schema", "JOURNAL_SCHEMA", "sync_sidecar",
			"schema of the tables that the sidecar keeps in the database of the rows: their position, and results, state and status without DATABASE_URL"),
		text(categoryDestination, "logs-connection-id", "LOGS_CONNECTION_ID", "", "Bulker destination that takes the log lines"),
		secretAddressFlag(categoryDestination, "database-url", "DATABASE_URL", "Postgres that keeps results, state and status"),
	}
}

// tableFlags say what becomes of the rows.
func tableFlags() []cli.Flag {
	return []cli.Flag{
		text(categoryTables, "namespace", "NAMESPACE", "",
			"namespace of the tables: a schema in Postgres, at Bulker folded into their names; may contain ${SOURCE_NAMESPACE}; "+
				"${LEGACY}: as Jitsu before it knew namespaces"),
		text(categoryTables, "table-name-prefix", "TABLE_NAME_PREFIX", "", "goes before every table name; may contain ${SOURCE_NAMESPACE}"),
		&cli.BoolFlag{Category: categoryTables, Name: "to-same-case", EnvVars: []string{"TO_SAME_CASE"},
			Usage: "lower-case names of tables, in Postgres of columns, too"},
		&cli.BoolFlag{Category: categoryTables, Name: "add-meta", EnvVars: []string{"ADD_META"}, Usage: "add _jitsu_timestamp to every row"},
		&cli.BoolFlag{Category: categoryTables, Name: "deduplicate", EnvVars: []string{"DEDUPLICATE"}, Value: true, Usage: "merge rows by primary key"},
		text(categoryTables, "oversize-rows", "OVERSIZE_ROWS", "fail",
			"rows longer than the destination takes: `fail` their stream, or drop-fields (the largest become null, with a note)"),
		text(categoryTables, "non-finite-numbers", "NON_FINITE_NUMBERS", "null",
			"NaN and Infinity in rows: become `null` with a note, or fail their stream"),
		&cli.BoolFlag{Category: categoryTables, Name: "allow-reserved-keys", EnvVars: []string{"ALLOW_RESERVED_KEYS"},
			Usage: "pass keys of rows on to Bulker that it takes as instructions (__sql_type…, JITSU_TABLE_NAME) instead of leaving them out"},
		&cli.BoolFlag{Category: categoryTables, Name: "full-refresh-chunked", EnvVars: []string{"FULL_REFRESH_CHUNKED"},
			Usage: "deliver a full refresh in many loads, for tables larger than the spool's disk; meanwhile the table holds a part of the rows"},
	}
}

// batchFlags say how rows are gathered.
func batchFlags(maxLine int, preset loader.Config) []cli.Flag {
	return []cli.Flag{
		count("batch-rows", "BATCH_ROWS", preset.Batch.Rows, "a batch closes at so many rows"),
		count("batch-bytes", "BATCH_BYTES", preset.Batch.Bytes, "a batch closes at so many bytes"),
		duration(categoryBatches, "batch-age", "BATCH_AGE", preset.Batch.Age, "a batch closes at this age"),
		duration(categoryBatches, "state-age", "STATE_AGE", preset.Batch.StateAge, "a STATE alone closes a batch of this age"),
		count("load-concurrency", "LOAD_CONCURRENCY", int64(preset.Concurrency), "tables that load side by side"),
		text(categoryBatches, "spool-dir", "SPOOL_DIR", "", "folder where rows wait for their acknowledgement (default: the system's temporary folder)"),
		count("spool-memory", "SPOOL_MEMORY", preset.Spool.Memory, "bytes that wait in memory before SPOOL_DIR is used"),
		count("spool-limit", "SPOOL_LIMIT", preset.Spool.Limit, "bytes that may wait in SPOOL_DIR; 0 is no limit"),
		count("spool-min-free", "SPOOL_MIN_FREE", preset.Spool.MinFree, "bytes of SPOOL_DIR's disk to leave free"),
		count("max-line-bytes", "MAX_LINE_BYTES", int64(maxLine), "longest line of the connector; a longer one fails its stream"),
		duration(categoryBatches, "retry-for", "RETRY_FOR", preset.Retry.For, "how long a load is tried again before its stream fails"),
	}
}

// deadlineFlags bound every wait.
func deadlineFlags(preset session.Deadlines) []cli.Flag {
	return []cli.Flag{
		duration(categoryDeadlines, "startup-timeout", "STARTUP_TIMEOUT", time.Minute, "how long servers may be away at the start"),
		duration(categoryDeadlines, "pipe-open-timeout", "PIPE_OPEN_TIMEOUT", preset.PipeOpen, "until the connector opens its pipes"),
		duration(categoryDeadlines, "first-message-timeout", "FIRST_MESSAGE_TIMEOUT", preset.FirstMessage, "from then to its first message"),
		duration(categoryDeadlines, "silence-timeout", "SILENCE_TIMEOUT", preset.Silence, "between two signs of life"),
		text(categoryDeadlines, "alive-on", "ALIVE_ON", string(preset.AliveOn),
			"what is a sign of life: `any` output, messages, or records (RECORD and STATE)"),
		&cli.Float64Flag{Category: categoryDeadlines, Name: "task-timeout-hours", EnvVars: []string{"TASK_TIMEOUT_HOURS"}, Value: preset.Task.Hours(),
			Usage: "the whole task, in hours"},
		duration(categoryDeadlines, "load-timeout", "LOAD_TIMEOUT", time.Hour, "from the last row of a load to the server's answer"),
		duration(categoryDeadlines, "live-timeout", "LIVE_TIMEOUT", 25*time.Minute,
			"how long a request to Bulker stays open while rows come; Bulker cuts at 30m"),
		duration(categoryDeadlines, "journal-timeout", "JOURNAL_TIMEOUT", preset.Journal,
			"at the end, for a Postgres that is away: until the verdict is given up"),
		duration(categoryDeadlines, "shutdown-grace", "SHUTDOWN_GRACE", preset.Shutdown, "from SIGTERM to the end"),
	}
}

// logFlags say what is logged, and how.
func logFlags() []cli.Flag {
	return []cli.Flag{
		text(categoryLogs, "log-level", "LOG_LEVEL", "INFO", "least severe lines on stderr: TRACE, DEBUG, INFO, WARN, ERROR"),
		text(categoryLogs, "db-log-level", "DB_LOG_LEVEL", "INFO", "least severe lines in task_log, at Bulker, in log.txt"),
		&cli.IntFlag{Category: categoryLogs, Name: "show-rows", EnvVars: []string{"SHOW_ROWS"},
			Usage: "so many first rows of each stream of LOCAL_DIR are shown on stderr when a read ends, for trying out"},
		text(categoryLogs, "log-format", "LOG_FORMAT", "text", "stderr as `text`, or json: one object a line, with progress and the report"),
	}
}

// metricFlags say how operators watch a session. The OpenTelemetry SDK's other variables count, too.
func metricFlags() []cli.Flag {
	return []cli.Flag{
		text(categoryMetrics, "metrics-address", "METRICS_ADDRESS", "", "host:port, or :port, where /metrics, /healthz and /readyz are served (default: nowhere)"),
		text(categoryMetrics, "otel-exporter-otlp-endpoint", "OTEL_EXPORTER_OTLP_ENDPOINT", "",
			"OTLP collector that metrics are pushed to, about once a minute and at the end, as in http://collector:4318"),
		&cli.Int64Flag{Category: categoryMetrics, Name: "otel-exporter-otlp-timeout", EnvVars: []string{"OTEL_EXPORTER_OTLP_TIMEOUT"}, Value: 10_000,
			Usage: "how long a push may take, in milliseconds"},
		secretFlag(categoryMetrics, "otel-exporter-otlp-headers", "OTEL_EXPORTER_OTLP_HEADERS", "headers for the collector, NAME=VALUE,…"),
	}
}

func text(category, name, variable, value, usage string) cli.Flag {
	return &cli.StringFlag{Category: category, Name: name, EnvVars: []string{variable}, Value: value, Usage: usage}
}

// count is a flag of how batches are made.
func count(name, variable string, value int64, usage string) cli.Flag {
	return &cli.Int64Flag{Category: categoryBatches, Name: name, EnvVars: []string{variable}, Value: value, Usage: usage}
}

func duration(category, name, variable string, value time.Duration, usage string) cli.Flag {
	return &cli.DurationFlag{Category: category, Name: name, EnvVars: []string{variable}, Value: value, Usage: usage}
}
