package main

import (
	"encoding/json"
	"strings"
	"testing"

	"sync-sidecar/sidecar/bulker/bulkertest"
)

// What the settings of "Tables and rows" do at Bulker.
func TestTableSettings(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		config string
		env    []string
		stream configured
		table  string
		rows   int64
		check  func(t *testing.T, server *bulkertest.Server, table string)
	}{
		"prefix": {env: []string{"TABLE_NAME_PREFIX", "raw_"}, table: "raw_orders", rows: 250},
		"namespace": {config: `,"namespace":"shop"`, env: []string{"NAMESPACE", "dw_${SOURCE_NAMESPACE}", "TABLE_NAME_PREFIX", "raw_"},
			stream: configured{name: "orders", namespace: "shop", mode: "incremental", destination: "append_dedup"}, table: "dw_shop_raw_orders", rows: 250},
		"namespace of the source is not taken by itself": {config: `,"namespace":"shop"`,
			stream: configured{name: "orders", namespace: "shop", mode: "incremental", destination: "append_dedup"}, table: "orders", rows: 250},
		"legacy namespace": {config: `,"namespace":"shop"`, env: []string{"NAMESPACE", "${LEGACY}"},
			stream: configured{name: "orders", namespace: "shop", mode: "incremental", destination: "append_dedup"}, table: "shop.orders", rows: 250},
		"same case":       {env: []string{"TO_SAME_CASE", "true", "TABLE_NAME_PREFIX", "Raw_"}, table: "raw_orders", rows: 250},
		"merged":          {config: `,"update_every":5`, table: "orders", check: wantKeys("id", 1)},
		"merged, nothing": {config: `,"update_every":5`, env: []string{"DEDUPLICATE", ""}, table: "orders", check: wantKeys("id", 1)},
		"not merged":      {config: `,"update_every":5`, env: []string{"DEDUPLICATE", "false"}, table: "orders", rows: 250, check: wantKeys("", 2)},
		"meta": {env: []string{"ADD_META", "true"}, table: "orders", rows: 250, check: func(t *testing.T, server *bulkertest.Server, table string) {
			t.Helper()
			for _, row := range rowsOf(t, server, table) {
				mustContain(t, "a row", row, `"_jitsu_timestamp":"20`)
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPod(t, "read", `{"counts":{"orders":250},"records_per_state":100`+test.config+`}`).set(test.env...)
			if test.stream.name == "" {
				test.stream = incrementalStreams("orders")[0]
			}
			p.configure(test.stream)
			server := p.useBulker(bulkertest.Options{})
			p.run().want(t, exitOK, "read SUCCESS")
			counts := tableCounts(t, server)
			if test.rows > 0 {
				wantCounts(t, counts, map[string]int64{test.table: test.rows})
			}
			if test.check != nil {
				test.check(t, server, test.table)
			}
		})
	}
}

// wantKeys checks the primary key of all loads, and the most rows that one id has.
func wantKeys(key string, most int) func(*testing.T, *bulkertest.Server, string) {
	return func(t *testing.T, server *bulkertest.Server, table string) {
		t.Helper()
		for _, commit := range server.Commits() {
			if got := strings.Join(commit.PrimaryKey, ","); got != key {
				t.Errorf("key %q, want %q", got, key)
			}
		}
		times, worst := map[int64]int{}, 0
		for _, row := range rowsOf(t, server, table) {
			var id struct{ ID int64 }
			if err := json.Unmarshal([]byte(row), &id); err != nil {
				t.Fatal(err)
			}
			times[id.ID]++
			worst = max(worst, times[id.ID])
		}
		if most == 1 && worst != 1 || most > 1 && worst < most {
			t.Errorf("one id has %d rows, want %d", worst, most)
		}
	}
}

func rowsOf(t *testing.T, server *bulkertest.Server, table string) []string {
	t.Helper()
	stored, err := server.Rows(table)
	if err != nil {
		t.Fatal(err)
	}
	var rows []string
	for _, row := range stored {
		rows = append(rows, string(row))
	}
	return rows
}

// A full refresh of a table larger than the spool's disk comes in many loads, when the user says so.
func TestChunkedFullRefresh(t *testing.T) {
	t.Parallel()
	p := newPod(t, "read", `{"counts":{"orders":250}}`).set("FULL_REFRESH_CHUNKED", "true", "BATCH_ROWS", "100")
	p.configure(overwrittenStreams("orders")...)
	server := p.useBulker(bulkertest.Options{})
	p.run().want(t, exitOK)
	var modes []string
	for _, commit := range server.Commits() {
		modes = append(modes, commit.Mode)
	}
	if len(modes) < 3 || modes[0] != "replace_table" || modes[1] != "batch" {
		t.Errorf("loads %q", modes)
	}
	wantCounts(t, tableCounts(t, server), map[string]int64{"orders": 250})
}

// A row that Bulker cannot take fails its stream, and names the row; or, by setting, loses its largest fields. The folder takes it as it is.
func TestHugeRow(t *testing.T) {
	t.Parallel()
	const config = `{"counts":{"customers":30,"orders":250},"faults":{"huge_row":{"stream":"orders","after_row":100,"bytes":2000000}}}`
	for name, test := range map[string]struct {
		bulker   bool
		oversize string
		code     int
		orders   int64
		words    []string
	}{
		"fail":        {true, "fail", exitPartial, -1, []string{"read PARTIAL", `stream "orders"`, "id=101", "OVERSIZE_ROWS=drop-fields"}},
		"drop fields": {true, "drop-fields", exitOK, 250, []string{"read SUCCESS", "id=101", "dropped: huge"}},
		"folder":      {false, "fail", exitOK, 250, []string{"read SUCCESS"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPod(t, "read", config).set("OVERSIZE_ROWS", test.oversize)
			p.configure(incrementalStreams("customers", "orders")...)
			counts := func() map[string]int64 {
				return map[string]int64{"customers": int64(len(p.rows("customers"))), "orders": int64(len(p.rows("orders")))}
			}
			if test.bulker {
				server := p.useBulker(bulkertest.Options{})
				counts = func() map[string]int64 { return tableCounts(t, server) }
				defer func() {
					if text := strings.Join(rowsOf(t, server, "orders"), ""); test.code == exitOK {
						mustContain(t, "the rows", text, `"huge":null`, `"_airbyte_meta":{"changes":[{"field":"huge","change":"NULLED"`)
					}
				}()
			}
			got := p.run()
			got.want(t, test.code, test.words...)
			if strings.Contains(got.stderr, "huge row huge row") {
				t.Error("the row's content is shown")
			}
			if n := counts(); test.orders >= 0 && n["orders"] != test.orders || n["customers"] != 30 {
				t.Errorf("rows %v", n)
			}
			if task := p.task(); test.code == exitPartial && (task.Streams["orders"].Status == "SUCCESS" || task.Streams["customers"].Status != "SUCCESS") {
				t.Errorf("task %+v", task)
			}
		})
	}
}

// A line over MAX_LINE_BYTES fails its stream, not the sync.
func TestTooLongLine(t *testing.T) {
	t.Parallel()
	p := newPod(t, "read", `{"counts":{"customers":30,"orders":250},"faults":{"huge_row":{"stream":"orders","after_row":100,"bytes":2000000}}}`)
	p.configure(incrementalStreams("customers", "orders")...)
	p.set("MAX_LINE_BYTES", "1000000")
	p.run().want(t, exitPartial, "read PARTIAL", `stream "orders"`, "MAX_LINE_BYTES")
	task := p.task()
	if task.Streams["customers"].Status != "SUCCESS" || task.Streams["orders"].Status == "SUCCESS" || len(task.Streams["orders"].Defects) == 0 {
		t.Errorf("task %+v", task)
	}
}

// NaN is no JSON: it becomes null with a note, or fails its stream.
func TestNonFiniteNumbers(t *testing.T) {
	t.Parallel()
	for setting, code := range map[string]int{"null": exitOK, "fail": exitFailed} {
		t.Run(setting, func(t *testing.T) {
			t.Parallel()
			p := newPod(t, "read", `{"counts":{"orders":5},"faults":{"non_finite":{"stream":"orders","after_row":2}}}`).set("NON_FINITE_NUMBERS", setting)
			p.configure(overwrittenStreams("orders")...)
			p.run().want(t, code)
			task := p.task()
			if len(task.Streams["orders"].Defects) == 0 {
				t.Errorf("not counted: %+v", task)
			}
			rows := p.rows("orders")
			if code != exitOK {
				if len(rows) != 0 {
					t.Errorf("%d rows of a full refresh that failed", len(rows))
				}
				return
			}
			if len(rows) != 5 {
				t.Fatalf("%d rows, want 5", len(rows))
			}
			mustContain(t, "the row", rows[2], `"odd_number":null`, `"list":[null,`, `"text":"NaN, Infinity"`, `"_airbyte_meta"`)
		})
	}
}

// Bulker cannot empty a table over HTTP, and says so with nothing; the folder can.
func TestEmptyStream(t *testing.T) {
	t.Parallel()
	for name, bulker := range map[string]bool{"local": false, "Bulker": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPod(t, "read", `{"counts":{"orders":20}}`)
			p.configure(overwrittenStreams("orders")...)
			var server *bulkertest.Server
			if bulker {
				server = p.useBulker(bulkertest.Options{})
			}
			p.run().want(t, exitOK)
			p.put("config/config.json", `{"counts":{"orders":0}}`)
			p.set("TASK_ID", "task-2")
			got := p.run()
			got.want(t, exitOK, "0 of 0 rows delivered")
			if bulker {
				got.want(t, exitOK, "cannot empty a table", `"orders" keeps the rows it has`)
				wantCounts(t, tableCounts(t, server), map[string]int64{"orders": 20})
				return
			}
			if files := globNames(t, p.path("data/sync-1/rows/*")); len(files) != 1 || len(p.rows("orders")) != 0 {
				t.Errorf("files %v, rows %q", files, p.rows("orders"))
			}
		})
	}
}
