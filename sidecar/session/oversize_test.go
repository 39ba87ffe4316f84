package session

import (
	"errors"
	"strings"
	"testing"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/sidecartest"
)

func TestDropLargest(t *testing.T) {
	t.Parallel()
	row := []byte(`{"id":7,"a":"` + strings.Repeat("x", 500) + `","b":{"c":"` + strings.Repeat("y", 300) + `"},"d":1e400}`)
	smaller, dropped, err := dropLargest(row, 200, [][]string{{"id"}})
	if err != nil || string(smaller) != `{"id":7,"a":null,"b":null,"d":1e400}` || strings.Join(dropped, ",") != "a,b" {
		t.Fatalf("%s, dropped %v, %v", smaller, dropped, err)
	}
	if smaller, dropped, err = dropLargest(row, 400, nil); err != nil || strings.Join(dropped, ",") != "a" || len(smaller) > 400 {
		t.Fatalf("%s, dropped %v, %v", smaller, dropped, err)
	}
	if _, _, err = dropLargest([]byte(`{"id":"`+strings.Repeat("x", 500)+`"}`), 100, [][]string{{"id"}}); !errors.Is(err, errAllKeys) {
		t.Fatalf("a key was dropped: %v", err)
	}
}

// TestShrunkRowGivesNoOrders has a row that is too long, and holds a member that the destination would obey.
func TestShrunkRowGivesNoOrders(t *testing.T) {
	t.Parallel()
	r := newRig(t, "users")
	r.config.DropLargeFields = true
	r.destination = &sidecartest.Destination{Can: sidecar.Capabilities{RowBytes: 8 << 10, ReservedKeys: []sidecar.ReservedKey{{Name: "__order"}}}}
	r.start().say(`{"type":"RECORD","record":{"stream":"users","data":{"id":1,"__order":"drop","text":"`+strings.Repeat("x", 10_000)+
		`"},"emitted_at":1}}`, status("users", "COMPLETE"))
	report := r.exit(0).hangUp().end()
	const want = `{"id":1,"text":null,"_airbyte_meta":{"changes":[{"field":"text","change":"NULLED","reason":"DESTINATION_RECORD_SIZE_LIMITATION"}]}}`
	rows, _ := r.memory().Rows(r.config.Streams[0].Table)
	if report.Status != sidecar.StatusSuccess || len(rows) != 1 || strings.TrimSpace(rows[0]) != want {
		t.Errorf("%s: %s; rows %q", report.Status, report.Cause, rows)
	}
}
