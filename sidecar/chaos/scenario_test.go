package chaos

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"sync-sidecar/sidecar/airbyte"
	"sync-sidecar/sidecar/postgres/postgrestest"
)

// places are where rows and states go.
type places string

const (
	bulkerAndPostgres places = "bulker+postgres"
	folderAlone       places = "folder"
	folderAndPostgres places = "folder+postgres"
)

// scenario is one sync and how it is disturbed, all of it from its seed.
type scenario struct {
	t        testing.TB
	seed     uint64
	random   *rand.Rand
	places   places
	keyed    bool
	state    string // STREAM, GLOBAL, LEGACY
	dir      string
	catalog  airbyte.ConfiguredCatalog
	expected map[string][]string // the rows of each stream, as source-demo gives them
	bulker   *bulkerProcess
	postgres *postgrestest.Server
	env      []string
	config   map[string]any
	history  []string // what happened, for the message of a failure
}

// newScenario draws a scenario.
func newScenario(t testing.TB, seed uint64, bulker *bulkerProcess, postgres *postgrestest.Server) *scenario {
	t.Helper()
	random := rand.New(rand.NewPCG(seed, 4))
	pick := func(values ...string) string { return values[random.IntN(len(values))] }
	s := &scenario{t: t, seed: seed, random: random, bulker: bulker, postgres: postgres, dir: t.TempDir(), expected: map[string][]string{},
		places: places(pick(string(bulkerAndPostgres), string(bulkerAndPostgres), string(folderAlone), string(folderAndPostgres))),
		keyed:  random.IntN(3) > 0, state: pick("STREAM", "STREAM", "GLOBAL", "LEGACY")}
	rows := 300 + random.IntN(1200)
	s.config = map[string]any{"count": rows, "seed": seed % 5, "records_per_state": []int{1, 3, 20, 100, 500}[random.IntN(5)],
		"state_type": s.state, "interleave": random.IntN(4) > 0, "rate": rows * (1 + random.IntN(4))}
	s.makeCatalog()
	s.write("config.json", s.config)
	s.write("catalog.json", s.catalog)
	s.env = []string{
		"PATH=" + os.Getenv("PATH"), "STDOUT_PIPE_FILE=" + s.path("pipes/stdout"), "STDERR_PIPE_FILE=" + s.path("pipes/stderr"),
		"CONFIG_FILE=" + s.path("config.json"), "CATALOG_FILE=" + s.path("catalog.json"), "STATE_FILE=" + s.path("state.json"), "LOCAL_DIR=" + s.path("data"),
		"SPOOL_DIR=" + s.dir, "COMMAND=read", fmt.Sprintf("SYNC_ID=sync%d", seed), "PACKAGE=source-demo", "RETRY_FOR=20s", "JOURNAL_TIMEOUT=20s",
		"PIPE_OPEN_TIMEOUT=20s", fmt.Sprint("BATCH_ROWS=", 8*(1+random.IntN(100))), "STATE_AGE=" + pick("1ms", "50ms", "500ms"), "BATCH_AGE=" + pick("100ms", "2s"),
		fmt.Sprint("SPOOL_MEMORY=", random.IntN(2)*1_000_000),
	}
	if s.places == bulkerAndPostgres {
		s.env = append(s.env, "BULKER_URL=http://"+bulker.address)
	}
	if s.places != folderAlone {
		s.env = append(s.env, "DATABASE_URL="+postgres.DSN())
	}
	s.expect()
	return s
}

func (s *scenario) String() string {
	return fmt.Sprintf("seed %d: %s, %s state, keyed %v, config %v", s.seed, s.places, s.state, s.keyed, s.config)
}

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

// failf fails with everything that one needs to replay it.
func (s *scenario) failf(format string, args ...any) {
	s.t.Helper()
	s.t.Errorf("%s\n%s (CHAOS_SEED=%d replays the draw)\nhistory:\n%s", fmt.Sprintf(format, args...), s, s.seed, joinLines(s.history))
	s.t.FailNow()
}

func joinLines(all []string) string {
	var b bytes.Buffer
	for _, line := range all {
		b.WriteString("  " + line + "\n")
	}
	return b.String()
}

// makeCatalog reads the streams: customers and orders incrementally, products anew each time.
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
	if len(s.catalog.Streams) != 3 {
		s.t.Fatalf("discovered %d streams", len(s.catalog.Streams))
	}
}

func (s *scenario) configure(stream airbyte.Stream) airbyte.ConfiguredStream {
	configured := airbyte.ConfiguredStream{SyncMode: airbyte.Incremental, DestinationSyncMode: airbyte.AppendDedup, CursorField: stream.DefaultCursorField}
	if stream.Name == "products" {
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
	s.write("calm.json", calm)
	for _, line := range lines(s.source("read", "--config", s.path("calm.json"), "--catalog", s.path("catalog.json"))) {
		var message struct {
			Record *struct {
				Stream string          `json:"stream"`
				Data   json.RawMessage `json:"data"`
			} `json:"record"`
		}
		if json.Unmarshal([]byte(line), &message) == nil && message.Record != nil {
			s.expected[message.Record.Stream] = append(s.expected[message.Record.Stream], string(message.Record.Data))
		}
	}
}
