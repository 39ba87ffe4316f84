package spool

import (
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"sync-sidecar/sidecar/cursor"
)

// TestByCursor orders rows that are in memory, on the disk, and in both.
func TestByCursor(t *testing.T) {
	t.Parallel()
	for _, share := range []int64{0, 3 * bufferSize, 1 << 30} {
		random := rand.New(rand.NewPCG(uint64(share), 4))
		s := testSpool(t, share, nil)
		const rows = 5000
		for i := range rows {
			row := fmt.Sprintf(`{"at":%d,"n":%d,"text":%q}`, random.IntN(500), i, strings.Repeat("x", random.IntN(1000)))
			if _, err := s.Add([]byte(row), nil); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Finish(); err != nil {
			t.Fatal(err)
		}
		ordered, err := ByCursor(t.Context(), s, cursor.NewPath([]string{"at"}))
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // a load may be given again
			reader, err := ordered.Open(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(reader)
			if err != nil || int64(len(text)) != ordered.Size() || ordered.Count() != rows {
				t.Fatalf("%d bytes of %d, %d rows: %v", len(text), ordered.Size(), ordered.Count(), err)
			}
			lastAt, lastN, seen := -1, -1, map[int]bool{}
			for line := range strings.Lines(string(text)) {
				var at, n int
				if _, err := fmt.Sscanf(line, `{"at":%d,"n":%d,`, &at, &n); err != nil {
					t.Fatal(err)
				}
				if at < lastAt || at == lastAt && n < lastN || seen[n] {
					t.Fatalf("%d, %d after %d, %d", at, n, lastAt, lastN)
				}
				lastAt, lastN, seen[n] = at, n, true
			}
			if len(seen) != rows {
				t.Fatalf("%d rows", len(seen))
			}
		}
	}
}
