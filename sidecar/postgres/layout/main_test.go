package layout_test

import (
	"os"
	"testing"

	"sync-sidecar/sidecar/postgres/postgrestest"
)

func TestMain(m *testing.M) { os.Exit(postgrestest.Main(m)) }
