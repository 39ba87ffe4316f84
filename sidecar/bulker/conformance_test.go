package bulker_test

import (
	"net/url"
	"testing"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/bulker"
	"sync-sidecar/sidecar/bulker/bulkertest"
	"sync-sidecar/sidecar/sidecartest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	for name, deduplicate := range map[string]bool{"merging": true, "appending": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sidecartest.VerifyDestination(t, fixture(deduplicate))
		})
	}
}

// fixture is a Bulker that keeps what it commits in a folder, so that it can be started again.
func fixture(deduplicate bool) func(t testing.TB) sidecartest.DestinationFixture {
	return func(t testing.TB) sidecartest.DestinationFixture {
		t.Helper()
		const token = "t0p-s3cret"
		options := bulkertest.Options{Dir: t.TempDir(), Token: token}
		begin := func() *bulkertest.Server {
			server, err := bulkertest.New(options)
			if err != nil {
				t.Fatal(err)
			}
			return server
		}
		server := begin()
		stop := func() {
			if err := server.Close(); err != nil {
				t.Error(err)
			}
		}
		t.Cleanup(func() { stop() })
		address, err := url.Parse(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		options.Addr = address.Host
		f := sidecartest.DestinationFixture{
			Open: func() (sidecar.Destination, func()) {
				c, err := bulker.New(bulker.Options{
					URL: server.URL, Token: token, DestinationID: "sync-1", SyncID: "sync-1", TaskID: "task-1", Deduplicate: deduplicate,
				})
				if err != nil {
					t.Fatal(err)
				}
				return c, c.Close
			},
			Rows: func(stream sidecar.StreamConfig) ([]string, error) {
				kept, err := server.Rows(stream.Placement.Name)
				rows := make([]string, len(kept))
				for i, row := range kept {
					rows[i] = string(row)
				}
				return rows, err
			},
			Break:      func() { server.Inject(bulkertest.Fault{Moment: bulkertest.AtRow, Row: 5}) },
			LoseAnswer: func() { server.Inject(bulkertest.Fault{Moment: bulkertest.AtEnd, Commit: true}) },
			Restart:    func() { stop(); server = begin() },
			Secrets:    []string{token},
		}
		if deduplicate {
			f.Merges = sidecartest.MergesAtLoad
		}
		return f
	}
}
