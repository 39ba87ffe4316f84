package destination

import (
	"net/url"
	"testing"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/postgres/postgrestest"
	"sync-sidecar/sidecar/sidecartest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	sidecartest.VerifyDestination(t, func(t testing.TB) sidecartest.DestinationFixture {
		t.Helper()
		address := postgrestest.Database(t)
		line := newLine(t, address)
		return sidecartest.DestinationFixture{
			Open: func() (sidecar.Destination, func()) {
				c := openAt(t, line.url, nil)
				return c, func() { closeClient(c) }
			},
			Rows:       func(s sidecar.StreamConfig) ([]string, error) { return placed(t, address, s) },
			Merges:     sidecartest.MergesAtLoad,
			Secrets:    []string{passwordOf(t, address)},
			Break:      line.cutInCopy,
			LoseAnswer: line.loseCommit,
		}
	})
}

// placed are the rows where a stream was placed.
func placed(t testing.TB, address string, s sidecar.StreamConfig) ([]string, error) {
	t.Helper()
	there := postgrestest.Query(t, address, "select oid::regclass from pg_class where oid::regclass::text = $1 or relname = $1", s.Placement.Name)
	if len(there) == 0 {
		return nil, nil
	}
	return rowsOf(t, address, there[0]), nil
}

func passwordOf(t testing.TB, address string) string {
	t.Helper()
	parsed, err := url.Parse(address)
	must(t, err)
	password, _ := parsed.User.Password()
	return password
}
