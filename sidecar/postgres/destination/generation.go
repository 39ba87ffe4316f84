package destination

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
	"sync-sidecar/sidecar/postgres/server"
)

// A stream that starts over fills a table of its own, a generation, beside the one that it has: readers keep the rows of before until the new ones
// are complete (I6). The position says which table that is, so that a read that was cut off goes on filling it. Finish then makes its rows those of
// the stream's table.

// generationName matches what generationOf makes.
var generationName = regexp.MustCompile(`_sidecar_[0-9a-f]{16}$`)

// generationOf is the name of a new generation of a table.
func generationOf(place relation) (relation, error) {
	var random [8]byte
	if _, err := rand.Read(random[:]); err != nil {
		return relation{}, err
	}
	suffix := "_sidecar_" + hex.EncodeToString(random[:])
	const longest = 63
	stem := place.name[:min(len(place.name), longest-len(suffix))]
	for !utf8.ValidString(stem) {
		stem = stem[:len(stem)-1]
	}
	return relation{schema: place.schema, name: stem + suffix}, nil
}

// generationMark begins the comment on every table that holds a generation of this sync: by it one is known that no position refers to.
func (c *Client) generationMark() string {
	return fmt.Sprintf("rows of sync %q that starts over: sync-sidecar moves them into their table when they are complete", c.options.Identity.SyncID)
}

// generationComment is the comment on those of one stream.
func (c *Client) generationComment(stream airbyte.StreamDescriptor) string {
	return c.generationMark() + server.CleanText(fmt.Sprintf("; stream %q", stream.String()))
}

// knownStatesSQL says whether a position was ever reached that the table of a stream is at.
const knownStatesSQL = `select exists (select from @destination_state where sync_id = $1 and key = any ($2::text[]))`

// startOver gives a stream that starts over a generation, unless its table is empty and nothing says what it is at.
func (c *Client) startOver(ctx context.Context, w *work) error {
	if !w.found.exists() {
		return nil
	}
	pool, err := c.connections(ctx)
	if err != nil {
		return err
	}
	free, err := empty(ctx, pool, w.place)
	if err != nil {
		return err
	}
	if free {
		var known bool
		keys := []string{server.CleanText(w.target.stream.String()), sidecar.GlobalStateKey, sidecar.LegacyStateKey}
		if err := pool.QueryRow(ctx, c.sql(knownStatesSQL), c.options.Identity.SyncID, keys).Scan(&known); err != nil {
			return err
		}
		if !known {
			return nil
		}
	}
	generation, err := generationOf(w.place)
	if err != nil {
		return err
	}
	if err := c.createGeneration(ctx, w, generation); err != nil {
		return err
	}
	w.target.spare = generation
	w.place, w.generation = generation, generation
	return nil
}

// createGeneration makes the table of a generation. Until a position refers to it, it is a leftover.
func (c *Client) createGeneration(ctx context.Context, w *work, generation relation) error {
	name, err := keyName()
	if err != nil {
		return err
	}
	err = c.alter(ctx, func(tx pgx.Tx) error {
		statements := []string{
			fmt.Sprintf("create table %s (like %s including defaults including constraints including generated including identity including storage)",
				generation.sql(), w.place.sql()),
			fmt.Sprintf("comment on table %s is %s", generation.sql(), literal(c.generationComment(w.target.stream))),
		}
		if len(w.key) > 0 {
			statements = append(statements, fmt.Sprintf("alter table %s add constraint %s primary key (%s)", generation.sql(), quote(name),
				identifiers(w.key)))
		}
		if spare := w.target.spare; spare != (relation{}) {
			statements = append(statements, "drop table if exists "+spare.sql())
		}
		for _, statement := range statements {
			if _, err := tx.Exec(ctx, statement); err != nil {
				return err
			}
		}
		return conceal(ctx, tx, generation)
	})
	return missingRight(err, fmt.Sprintf("GRANT USAGE, CREATE ON SCHEMA %s TO %s", quote(generation.schema), c.user()))
}

const grantedSQL = `select coalesce(string_agg(distinct case grantee when 0 then 'public' else quote_ident(pg_get_userbyid(grantee)) end, ', '), '')
from pg_class c join pg_namespace n on n.oid = c.relnamespace, aclexplode(c.relacl) where n.nspname = $1 and c.relname = $2 and grantee <> c.relowner`

// conceal takes from others what default privileges give them: policies and grants of the stream's own table say who may see its rows.
func conceal(ctx context.Context, tx pgx.Tx, generation relation) error {
	var granted string
	if err := tx.QueryRow(ctx, grantedSQL, generation.schema, generation.name).Scan(&granted); err != nil || granted == "" {
		return err
	}
	_, err := tx.Exec(ctx, fmt.Sprintf("revoke all on table %s from %s", generation.sql(), granted))
	return err
}

// literal writes a text as SQL does, whatever standard_conforming_strings and backslash_quote are.
func literal(text string) string {
	return "E'" + strings.NewReplacer(`\`, `\\`, `'`, `''`).Replace(text) + "'"
}

// Finish makes the rows of generations that are complete those of their tables.
func (c *Client) Finish(ctx context.Context, streams []airbyte.StreamDescriptor) error {
	if len(streams) == 0 {
		return nil
	}
	if err := c.prepare(ctx); err != nil {
		return err
	}
	// A foreign key may need the rows of another stream first: who lacks them waits, as long as others get on.
	for waiting := 0; len(streams) > 0; streams = streams[1:] {
		t, err := c.target(streams[0])
		if err != nil {
			return err
		}
		if err = c.finish(ctx, t); err == nil {
			waiting = 0
			continue
		}
		if waiting++; sqlState(err) == noParent && waiting < len(streams) {
			streams = append(slices.Clone(streams), streams[0])
			continue
		}
		return c.explain(ctx, nil, fmt.Errorf("stream %q: move the rows of its new generation into table %s: %w", streams[0].String(), t.place, err))
	}
	return nil
}

// finish moves the rows of one stream.
func (c *Client) finish(ctx context.Context, t *target) error {
	if err := t.take(ctx); err != nil {
		return err
	}
	defer t.give()
	generation, startsOver := c.holder(t)
	if generation == (relation{}) && !startsOver {
		return nil
	}
	if t.last.lost {
		committed, err := c.settle(ctx, t)
		if err != nil {
			return err
		}
		if committed {
			t.last.move.made()
			t.last = attempt{}
			return nil
		}
		c.settled(t)
	}
	c.dismiss(ctx, t.last.backend)
	t.last = attempt{}
	return c.swap(ctx, t, generation)
}

// swap makes the rows of a generation those of the table, and drops it. Without a generation no row came: the table is emptied.
func (c *Client) swap(ctx context.Context, t *target, generation relation) error {
	w := &work{target: t, place: t.place, clear: true, before: generation}
	columns, err := c.alignTo(ctx, w, generation)
	if err != nil || !w.found.exists() {
		return err
	}
	tx, backend, err := c.begin(ctx, lockForRows)
	if err != nil {
		return err
	}
	m := &move{client: c, load: rand.Text(), streams: []streamMove{{target: t, gone: generation}}}
	t.last = attempt{load: m.load, backend: backend, move: m}
	if err := w.refill(ctx, tx, generation, columns); err != nil {
		rollback(ctx, tx)
		return &tableError{work: w, cause: err}
	}
	err = m.step(ctx, tx)
	if lost := (*lostCommit)(nil); errors.As(err, &lost) {
		t.last.lost = true
		return err
	}
	t.last = attempt{}
	if err == nil {
		c.keyLater(ctx, w)
	}
	return err
}

// alignTo gives a table the columns that a generation has, and decides how the rows get there.
func (c *Client) alignTo(ctx context.Context, w *work, generation relation) (columns []string, err error) {
	pool, err := c.connections(ctx)
	if err != nil {
		return nil, err
	}
	if w.found, err = find(ctx, pool, w.place); err != nil || !w.found.exists() {
		return nil, err
	}
	if err := w.found.usable(w.place, c.user(), "SELECT", "INSERT", "DELETE"); err != nil {
		return nil, err
	}
	if generation == (relation{}) {
		w.key = w.found.arbiter()
		return nil, nil
	}
	filled, err := find(ctx, pool, generation)
	if err != nil {
		return nil, err
	}
	if !filled.exists() {
		return nil, &sidecar.LoadError{Permanent: true, Message: fmt.Sprintf("table %s, which held them, is gone: start over once more with FULL_SYNC",
			generation)}
	}
	missing, columns := w.found.lacks(filled)
	if err := c.extend(ctx, w.place, missing); err != nil {
		return nil, err
	}
	change := false
	if w.key, change, err = c.keyOf(w.found, w.place, filled.Key, columns); err == nil && change {
		err = c.rekey(ctx, w)
	}
	if len(w.key) == 0 {
		w.key = w.found.arbiter()
	}
	return columns, err
}

// refill replaces the rows of a table by those of a generation.
func (w *work) refill(ctx context.Context, tx pgx.Tx, generation relation, columns []string) error {
	if err := w.lockContent(ctx, tx); err != nil {
		return err
	}
	if !w.found.Referenced || generation == (relation{}) {
		if err := w.empty(ctx, tx); err != nil || generation == (relation{}) {
			return err
		}
		list := identifiers(columns)
		_, err := tx.Exec(ctx, fmt.Sprintf("insert into %s (%s) select %s from %s", w.place.sql(), list, list, generation.sql()))
		return err
	}
	w.way = different
	if _, err := tx.Exec(ctx, w.insertSQL(generation, columns, false)+w.update(columns)); err != nil {
		return err
	}
	return w.removeGone(ctx, tx, generation)
}
