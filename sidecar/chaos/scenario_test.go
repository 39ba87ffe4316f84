package chaos

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sync-sidecar/sidecar/airbyte"
	"sync-sidecar/sidecar/postgres/postgrestest"
)

// places are where rows and states go.
type places string

const (
	bulkerAndPostgres places = "bulker+postgres"
	bulkerAlone       places = "bulker" // and states in the folder
	folderAlone       places = "folder"
	folderAndPostgres places = "folder+postgres"
	tablesAlone       places = "tables"          // of Postgres, and states in the same database
	tablesAndPostgres places = "tables+postgres" // and states in a database that could be another one
)

func (p places) bulker() bool { return p == bulkerAndPostgres || p == bulkerAlone }
func (p places) tables() bool { return p == tablesAlone || p == tablesAndPostgres }
func (p places) postgres() bool {
	return p == bulkerAndPostgres || p == folderAndPostgres || p.tables()
}

// fullRefresh is the stream that is read anew each time; all others are incremental.
const fullRefresh = "products"

// setup is what one sync is like.
type setup struct {
	id     uint64 // of the sync: servers may be shared
	places places
	keyed  bool
	config map[string]any // of source-demo
	more   []string       // variables for all programs
}

// servers are where syncs go to; those that a setup does not use may be nil.
type servers struct {
	bulker   *bulkerProcess
	postgres *postgrestest.Server
}

// scenario is one sync, in a folder of its own.
type scenario struct {
	setup
	servers
	t        testing.TB
	dir      string
	catalog  airbyte.ConfiguredCatalog
	expected map[string][]string // the rows of each stream, as source-demo gives them
	env      []string
	versions map[string]map[string]int // of each stream's rows; see newest
	looks    int                       // that succeeded while runs were alive
	runs     int                       // so far
	history  []string                  // what happened, for the message of a failure
}

// newScenario writes the connector's files.
func newScenario(t testing.TB, set setup, servers servers) *scenario {
	t.Helper()
	s := &scenario{setup: set, servers: servers, t: t, dir: t.TempDir(), expected: map[string][]string{}, versions: map[string]map[string]int{}}
	s.makeCatalog()
	s.write("catalog.json", s.catalog)
	s.env = []string{
		"PATH=" + os.Getenv("PATH"), "STDOUT_PIPE_FILE=" + s.path("pipes/stdout"), "STDERR_PIPE_FILE=" + s.path("pipes/stderr"),
		"CONFIG_FILE=" + s.path("config.json"), "CATALOG_FILE=" + s.path("catalog.json"), "STATE_FILE=" + s.path("state.json"),
		"LOCAL_DIR=" + s.path("data"), "SPOOL_DIR=" + s.dir, "COMMAND=read", "SYNC_ID=" + s.syncID(), "PACKAGE=source-demo",
		"RETRY_FOR=20s", "JOURNAL_TIMEOUT=20s", "PIPE_OPEN_TIMEOUT=8s",
		"NO_WAIT_VERDICT=true", // a strike at exec is to hit the connector, and not what waits after its end
	}
	if set.places.bulker() {
		s.env = append(s.env, "BULKER_URL=http://"+servers.bulker.address)
	}
	if set.places.postgres() && set.places != tablesAlone {
		s.env = append(s.env, "DATABASE_URL="+servers.postgres.DSN())
	}
	if set.places.tables() {
		s.env = append(s.env, "DESTINATION_URL="+servers.postgres.DSN(), "NAMESPACE="+s.syncID())
	}
	s.env = append(s.env, set.more...)
	return s
}

func (s *scenario) syncID() string { return fmt.Sprint("sync", s.id) }

func (s *scenario) path(name string) string { return filepath.Join(s.dir, name) }

func (s *scenario) write(name string, value any) {
	s.t.Helper()
	content, err := json.Marshal(value)
	if err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(s.path(name), content, 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// note remembers what happened.
func (s *scenario) note(format string, args ...any) {
	s.history = append(s.history, fmt.Sprintf(format, args...))
}

// failf fails with everything that one needs to understand it.
func (s *scenario) failf(format string, args ...any) {
	s.t.Helper()
	s.t.Fatalf("%s\n%s, keyed %v, config %v, %v\nhistory:\n  %s", fmt.Sprintf(format, args...), s.places, s.keyed, s.config, s.more,
		strings.Join(s.history, "\n  "))
}

// makeCatalog reads all streams.
func (s *scenario) makeCatalog() {
	s.t.Helper()
	s.write("config.json", s.config)
	for _, line := range lines(s.source("discover", "--config", s.path("config.json"))) {
		var message struct {
			Catalog *airbyte.Catalog `json:"catalog"`
		}
		if json.Unmarshal([]byte(line), &message) == nil && message.Catalog != nil {
			for _, stream := range message.Catalog.Streams {
				s.catalog.Streams = append(s.catalog.Streams, s.configure(stream))
			}
		}
	}
	if len(s.catalog.Streams) < 3 {
		s.t.Fatalf("discovered %d streams", len(s.catalog.Streams))
	}
}

// choose leaves only some streams in the catalog.
func (s *scenario) choose(names ...string) {
	s.t.Helper()
	s.catalog.Streams = slices.DeleteFunc(s.catalog.Streams, func(stream airbyte.ConfiguredStream) bool {
		return !slices.Contains(names, stream.Stream.Name)
	})
	s.write("catalog.json", s.catalog)
}

func (s *scenario) configure(stream airbyte.Stream) airbyte.ConfiguredStream {
	configured := airbyte.ConfiguredStream{SyncMode: airbyte.Incremental, DestinationSyncMode: airbyte.AppendDedup,
		CursorField: stream.DefaultCursorField}
	if stream.Name == fullRefresh {
		configured = airbyte.ConfiguredStream{SyncMode: airbyte.FullRefresh, DestinationSyncMode: airbyte.Overwrite}
	}
	if s.keyed {
		configured.PrimaryKey = stream.SourceDefinedPrimaryKey
	} else {
		stream.SourceDefinedPrimaryKey = nil
		if configured.SyncMode == airbyte.Incremental {
			configured.DestinationSyncMode = airbyte.Append
		}
	}
	configured.Stream = stream
	return configured
}

// source runs source-demo alone and gives its output.
func (s *scenario) source(args ...string) string {
	s.t.Helper()
	p := start(s.t, nil, "source-demo", args...)
	if code := p.wait(s.t, time.Minute); code != 0 {
		s.t.Fatalf("source-demo %v exited with %d: %s", args, code, p.output.String())
	}
	return p.output.String()
}

// expect learns what the destination must hold in the end: what the source gives when nobody disturbs it.
func (s *scenario) expect() {
	s.t.Helper()
	calm := map[string]any{}
	for key, value := range s.config {
		calm[key] = value
	}
	delete(calm, "rate")
	delete(calm, "faults")
	s.write("calm.json", calm)
	for _, line := range lines(s.source("read", "--config", s.path("calm.json"), "--catalog", s.path("catalog.json"))) {
		var message struct {
			Record *struct {
				Stream string          `json:"stream"`
				Data   json.RawMessage `json:"data"`
			} `json:"record"`
		}
		if json.Unmarshal([]byte(line), &message) == nil && message.Record != nil {
			row := string(message.Record.Data)
			if s.places.tables() {
				row = spelled(s.t, message.Record.Data)
			}
			s.expected[message.Record.Stream] = append(s.expected[message.Record.Stream], row)
		}
	}
}
