package bulker

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sync-sidecar/sidecar/bulker/bulkertest"
)

// verdict is what becomes of an answer of the real Bulker to a complete load.
type verdict struct {
	outlook outlook
	unknown bool
	says    []string // parts of the message; the next step among them
}

// verdicts are those of bulkertest's answers, by name.
func verdicts() map[string]verdict {
	return map[string]verdict{
		"token missing":                      {cannotPass, false, []string{"check BULKER_AUTH_TOKEN"}},
		"token wrong":                        {cannotPass, false, []string{"Invalid token: ***", "check BULKER_AUTH_TOKEN"}},
		"destination unknown":                {soonOrNever, false, []string{"check that SYNC_ID is a connection there"}},
		"table missing":                      {cannotPass, false, nil},
		"schema broken":                      {cannotPass, false, nil},
		"stream not created":                 {mayPass, false, nil},
		"line too long":                      {cannotPass, false, nil},
		"body broken":                        {mayPass, false, nil},
		"read timeout":                       {mayPass, false, nil},
		"aborted":                            {cannotPass, false, nil},
		"no object":                          {cannotPass, false, nil},
		"NaN row":                            {cannotPass, false, []string{"error: unsupported value: NaN; a number column cannot hold the text NaN"}},
		"warehouse away":                     {mayPass, false, []string{"connection refused"}},
		"warehouse password":                 {cannotPass, false, []string{"check user and password of the destination in Bulker"}},
		"database missing":                   {cannotPass, false, []string{`database "dwh" does not exist`, "correct the destination in Bulker"}},
		"connections used up":                {mayPass, false, []string{"raise max_connections"}},
		"starting up":                        {mayPass, false, []string{"going down or starting"}},
		"types that do not mix":              {cannotPass, false, []string{"unable to encode true", "declare one type"}},
		"text in JSON":                       {cannotPass, false, []string{"error: ERROR: invalid input syntax for type json", "alter the column"}},
		"key null":                           {cannotPass, false, []string{"(SQLSTATE 23502); a row has no value", "DEDUPLICATE=false"}},
		"key twice":                          {cannotPass, false, []string{"choose another key"}},
		"invalid UTF-8":                      {cannotPass, false, []string{"0xff", "encoding"}},
		"number too large":                   {cannotPass, false, []string{"a larger type"}},
		"text too long":                      {cannotPass, false, []string{"make the column wider"}},
		"row too big":                        {cannotPass, false, []string{"leave fields of the stream out"}},
		"key too long":                       {cannotPass, false, []string{"choose another key"}},
		"disk full":                          {mayPass, false, []string{"the warehouse's disk is full"}},
		"statement timeout":                  {mayPass, false, []string{"raise the statement_timeout"}},
		"session ended":                      {mayPass, false, nil},
		"connection broke":                   {mayPass, false, []string{"unexpected EOF"}},
		"columns too many":                   {cannotPass, false, []string{"error: ERROR: tables can have at most 1600 columns", "leave fields"}},
		"key is JSON":                        {cannotPass, false, nil},
		"no right in the schema":             {cannotPass, false, []string{`GRANT USAGE, CREATE ON SCHEMA "public" TO`}},
		"key column missing":                 {soonOrNever, false, []string{"no row has the key's column"}},
		"not the owner":                      {cannotPass, false, []string{`ALTER TABLE "t" OWNER TO`}},
		"column there already":               {soonOrNever, false, []string{"cuts names at 63 bytes"}},
		"a view in the way":                  {soonOrNever, false, []string{"as a view may"}},
		"cause hidden":                       {soonOrNever, false, []string{"in the warehouse's log only"}},
		"cause before the abort":             {cannotPass, false, []string{"choose another key"}},
		"type changed":                       {cannotPass, false, []string{`but expression is of type text`, "drop the table and run a full refresh"}},
		"type changed, wide":                 {cannotPass, false, []string{`error: ERROR: column "column_007" is of type bigint`, "(SQLSTATE 42804); "}},
		"no column at all":                   {cannotPass, false, []string{"rows that are {} bring none"}},
		"unquoted constraint":                {cannotPass, false, []string{"must be renamed"}},
		"check constraint":                   {cannotPass, false, []string{`"t_id_check"`}},
		"deadlock":                           {mayPass, false, []string{"another transaction"}},
		"truncate of a referenced table":     {soonOrNever, false, []string{"a foreign key on it"}},
		"merge of a warehouse without codes": {mayPass, true, []string{"error: code: 241, message: Memory limit (total) exceeded"}},
		"commit lost":                        {mayPass, true, []string{"unexpected EOF"}},
		"commit, session ended":              {mayPass, true, nil},
		"commit, nobody knows":               {mayPass, true, nil},
		"commit refused":                     {cannotPass, false, []string{"choose another key"}},
		"commit of a failed transaction":     {mayPass, false, nil},
		"commit conflict":                    {mayPass, false, nil},
	}
}

// TestRealAnswers classifies every refusal of the real Bulker that is known: whether it is sent again, whether rows may be there all the same, and
// what the user reads, which is the table, the cause without the SQL around it, and what to do.
func TestRealAnswers(t *testing.T) {
	t.Parallel()
	answers, err := bulkertest.Answers()
	if err != nil {
		t.Fatal(err)
	}
	wanted := verdicts()
	for _, said := range answers {
		want, ok := wanted[said.Name]
		if !ok {
			t.Errorf("%s: nobody says what becomes of it", said.Name)
		}
		delete(wanted, said.Name)
		synctest.Test(t, func(t *testing.T) {
			c, err := New(Options{URL: "http://bulker:3042", DestinationID: "sync-1"})
			if err != nil {
				t.Fatal(err)
			}
			a := answer{status: said.Status, failure: line(said.Error, "")}
			if kind, known := kindOf(a.failure); !known && said.Status == 400 {
				t.Errorf("%s: is of no known kind: %v", said.Name, kind)
			}
			first := c.refusal(a, "orders", true)
			time.Sleep(defaultSettleFor)
			second := c.refusal(a, "orders", true)
			got := mayPass
			switch {
			case first.Permanent:
				got = cannotPass
			case second.Permanent:
				got = soonOrNever
			}
			if got != want.outlook || first.Unknown != want.unknown || second.Unknown != want.unknown {
				t.Errorf("%s: outlook %d, unknown %v, want %d, %v", said.Name, got, first.Unknown, want.outlook, want.unknown)
			}
			for _, part := range want.says {
				if !strings.Contains(first.Message, part) {
					t.Errorf("%s: %q does not say %q", said.Name, first.Message, part)
				}
			}
			if len(first.Message) > 600 || strings.ContainsAny(first.Message, "\n\t") || strings.Contains(first.Message, "INSERT INTO") {
				t.Errorf("%s: what a person reads holds SQL: %q", said.Name, first.Message)
			}
			if said.Status == 400 && !strings.Contains(first.Message, "orders") {
				t.Errorf("%s: %q names no table", said.Name, first.Message)
			}
		})
	}
	for name := range wanted {
		t.Errorf("%s: no such answer", name)
	}
}

// TestSQLCodes finds the code that matters among several, and none where there is none.
func TestSQLCodes(t *testing.T) {
	t.Parallel()
	for failure, want := range map[string]string{
		"stream complete error: x":                                                       "",
		"ERROR: 1 (SQLSTATE 23502), cause: ERROR: 2 (SQLSTATE 40001)":                    "40001",
		"a (SQLSTATE 23505), cause: b (SQLSTATE 25P02)":                                  "23505",
		"a (SQLSTATE 25P02), b (SQLSTATE 42501), c (SQLSTATE 23505), d (SQLSTATE 25P02)": "42501",
		"a (SQLSTATE 25P02)":                                                             "25P02",
		`invalid input syntax for type uuid: "(SQLSTATE 08006)" (SQLSTATE 22P02)`:        "22P02", // a value that looks like a code
		"Error 1062 (23000): Duplicate entry":                                            "",      // MySQL
		"000904 (42000): SQL compilation error":                                          "",      // Snowflake
		"(SQLSTATE 2350)":                                                                "",
	} {
		if got := sqlCode(failure); got != want {
			t.Errorf("%s: %q, want %q", failure, got, want)
		}
	}
}

// TestCodesOfRows are no codes: only what the warehouse says is looked through for them.
func TestCodesOfRows(t *testing.T) {
	t.Parallel()
	for failure, want := range map[string]outlook{
		"unmarhsal error: expect { or n, found in ...|(SQLSTATE 08006)|...": cannotPass,
		"aborted: ABORT (SQLSTATE 08006)":                                   cannotPass,
		"scanner error: (SQLSTATE 23502)":                                   mayPass,
		"stream consume error: (SQLSTATE 23502)":                            cannotPass,
		"stream complete error: (SQLSTATE P0001)":                           mayPass, // a class that says nothing: as before
		"something else: (SQLSTATE 08006)":                                  cannotPass,
	} {
		if got, _ := outlookOf(failure); got != want {
			t.Errorf("%s: %d, want %d", failure, got, want)
		}
	}
}

func TestCause(t *testing.T) {
	t.Parallel()
	for failure, want := range map[string]string{
		"stream complete error: a, cause: b, cause: c":      "stream complete error: c",
		"stream complete error: a cause:b":                  "stream complete error: b",
		"stream complete error: a":                          "stream complete error: a",
		`k: x, cause: bad uuid: "root cause: y" (SQLSTATE)`: `k: bad uuid: "root cause: y" (SQLSTATE)`,
		"error# x: create stream error":                     "error# x: create stream error",
		"cause: of nothing":                                 "cause: of nothing",
		"":                                                  "",
	} {
		if got := cause(failure); got != want {
			t.Errorf("%q: %q, want %q", failure, got, want)
		}
	}
}

// TestStates wants each code once: the first one is taken.
func TestStates(t *testing.T) {
	t.Parallel()
	var codes []string
	for _, state := range sqlStates() {
		if slices.Contains(codes, state.code) || len(state.code) != 2 && len(state.code) != 5 || state.advice == "" {
			t.Errorf("%+v", state)
		}
		codes = append(codes, state.code)
	}
}

// TestPatience forgets what went well between two failures.
func TestPatience(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPatience(time.Second)
		for _, step := range []struct {
			wait   time.Duration
			forget string
			want   bool
		}{{0, "", false}, {time.Second / 2, "", false}, {time.Second / 2, "", true}, {0, "another", true}, {0, "it", false}, {time.Second, "", true}} {
			time.Sleep(step.wait)
			p.forget(step.forget)
			if got := p.over("it"); got != step.want {
				t.Errorf("%+v: %v", step, got)
			}
		}
		if p.over("another") {
			t.Error("one thing's failures count for another")
		}
	})
}
