package session

import (
	"testing"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/sidecartest"
)

func TestReservedKeys(t *testing.T) {
	t.Parallel()
	keys := newReservedKeys([]sidecar.ReservedKey{{Name: "__sql_type", Prefix: true}, {Name: "TABLE", TopLevel: true}})
	for row, want := range map[string]struct {
		clean string
		taken int
	}{
		`{"a":1,"b":{ "c" : 2 }}`:                            {`{"a":1,"b":{ "c" : 2 }}`, 0},
		`{"a":1,"__sql_type_a":"text; drop table x"}`:        {`{"a":1}`, 1},
		`{"\u005f_sql_type_a":"x","a":1}`:                    {`{"a":1}`, 1},
		`{"__sql\u005f\u0074ype":1}`:                         {`{}`, 1},
		`{"__sql_t\u0079pe_a":1}`:                            {`{}`, 1},
		`{"o":{"__sql_type_":"jsonb","p":1},"TABLE":"x"}`:    {`{"o":{"p":1}}`, 2},
		`{"o":{"TABLE":"data"}}`:                             {`{"o":{"TABLE":"data"}}`, 0},
		`{"text":"__sql_type is what Bulker reads","n":1.0}`: {`{"text":"__sql_type is what Bulker reads","n":1.0}`, 0},
		`{"a":[{"__sql_type_x":1}]}`:                         {`{"a":[{"__sql_type_x":1}]}`, 0}, // arrays are one value there
		`{"TABLES":1}`:                                       {`{"TABLES":1}`, 0},
		`{"a":"\u00e4\u0041"}`:                               {`{"a":"\u00e4\u0041"}`, 0},
	} {
		clean, taken := []byte(row), 0
		if keys.in([]byte(row)) {
			var err error
			if clean, taken, err = keys.without([]byte(row), false); err != nil {
				t.Fatal(err)
			}
		}
		if string(clean) != want.clean || taken != want.taken {
			t.Errorf("%s became %s, %d taken; want %s, %d", row, clean, taken, want.clean, want.taken)
		}
	}
	if (reservedKeys{}).in([]byte(`{"\u0041":1}`)) {
		t.Error("nothing is reserved")
	}
}

// TestReservedKeysAreCounted sends one to a destination that would obey it.
func TestReservedKeysAreCounted(t *testing.T) {
	t.Parallel()
	for _, allowed := range []bool{false, true} {
		r := newRig(t, "users")
		r.config.AllowReservedKeys = allowed
		reserved := []sidecar.ReservedKey{{Name: "__sql_type", Prefix: true}}
		r.destination = &sidecartest.Destination{Can: sidecar.Capabilities{ReservedKeys: reserved}}
		r.start().say(`{"type":"RECORD","record":{"stream":"users","data":{"id":1,"__sql_type_id":"text"},"emitted_at":1}}`, status("users", "COMPLETE"))
		report := r.exit(0).hangUp().end()
		want := int64(len(`{"id":1}`) + 1)
		if allowed {
			want = int64(len(`{"id":1,"__sql_type_id":"text"}`) + 1)
		}
		if report.Status != sidecar.StatusSuccess || report.Streams[0].Bytes != want || (report.Defects[reservedKeyDefect] == 1) == allowed {
			t.Errorf("allowed %v: %+v", allowed, report)
		}
	}
}
