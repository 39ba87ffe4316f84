package destination

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/jackc/pgx/v5"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
	"sync-sidecar/sidecar/postgres/server"
)

const (
	streamsSQL = `select namespace, name, starts, coalesce(generation_schema, ''), coalesce(generation, ''), coalesce(target_digest, '')
from @destination_stream where sync_id = $1`

	digestsSQL = `select key, digest from @destination_state where sync_id = $1`

	goBackSQL = `update @destination_stream set starts = false, generation_schema = null, generation = null, target_digest = null, updated_at = now()
where sync_id = $1 and namespace = $2 and name = $3`
)

// Resume takes the sync over: a run of it that is still at work can commit no more. It finds where the rows of each stream are, and where they go on:
// in its table, or in the generation that an earlier run began.
func (c *Client) Resume(ctx context.Context, catalog airbyte.ConfiguredCatalog, given []sidecar.SavedState) (warnings []string, err error) {
	if err := c.prepare(ctx); err != nil {
		return nil, err
	}
	err = c.transact(ctx, lockForRows, func(tx pgx.Tx) error {
		if err := c.takeOver(ctx, tx); err != nil {
			return err
		}
		r, err := c.resumption(ctx, tx, given)
		if err != nil {
			return err
		}
		warnings, err = r.settle(ctx, tx, catalog)
		return err
	})
	if err != nil {
		return nil, c.explain(ctx, nil, fmt.Errorf("take over the sync: %w", err))
	}
	if err := c.dropLeftovers(ctx); err != nil {
		warnings = append(warnings, fmt.Sprintf("tables that killed runs left could not be dropped: %v", err))
	}
	return warnings, nil
}

// resumption is what is known when a run begins.
type resumption struct {
	client    *Client
	given     map[string]sidecar.SavedState // by key
	were, are map[string]string             // digests of the given states, and of those that are committed
	streams   map[airbyte.StreamDescriptor]streamPosition
}

// streamPosition is a row of destination_stream.
type streamPosition struct {
	starts       bool
	generation   relation
	targetDigest string
}

// resumption reads what is committed.
func (c *Client) resumption(ctx context.Context, tx pgx.Tx, given []sidecar.SavedState) (*resumption, error) {
	r := &resumption{client: c, given: map[string]sidecar.SavedState{}, were: map[string]string{},
		streams: map[airbyte.StreamDescriptor]streamPosition{}}
	for _, state := range given {
		if key := server.CleanText(state.Key); !sidecar.IsNullState(state.State) {
			r.given[key], r.were[key] = state, digest(state.State)
		}
	}
	var err error
	if r.are, err = pairs(ctx, tx, c.sql(digestsSQL), c.options.Identity.SyncID); err != nil {
		return nil, err
	}
	rows, err := tx.Query(ctx, c.sql(streamsSQL), c.options.Identity.SyncID)
	if err != nil {
		return nil, err
	}
	var stream airbyte.StreamDescriptor
	var at streamPosition
	_, err = pgx.ForEachRow(rows, []any{&stream.Namespace, &stream.Name, &at.starts, &at.generation.schema, &at.generation.name, &at.targetDigest},
		func() error {
			r.streams[stream] = at
			return nil
		})
	return r, err
}

// pairs runs a query of two texts, of which the first is a key.
func pairs(ctx context.Context, tx pgx.Tx, query string, args ...any) (map[string]string, error) {
	found := map[string]string{}
	rows, err := tx.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	var key, value string
	_, err = pgx.ForEachRow(rows, []any{&key, &value}, func() error {
		found[key] = value
		return nil
	})
	return found, err
}

// covering is the key of the state that a stream goes on from; empty when there is none.
func covering(stream airbyte.StreamDescriptor, digests map[string]string) string {
	for _, key := range []string{server.CleanText(stream.String()), sidecar.GlobalStateKey, sidecar.LegacyStateKey} {
		if digests[key] != "" {
			return key
		}
	}
	return ""
}

// settle decides for each stream where its rows go on.
func (r *resumption) settle(ctx context.Context, tx pgx.Tx, catalog airbyte.ConfiguredCatalog) (warnings []string, err error) {
	back := map[string]bool{} // keys of states whose streams go back to the tables that they have
	for _, configured := range catalog.Streams {
		stream := configured.Stream.Descriptor()
		key := covering(stream, r.were)
		at := r.streams[airbyte.StreamDescriptor{Namespace: server.CleanText(stream.Namespace), Name: server.CleanText(stream.Name)}]
		incremental := configured.SyncMode == airbyte.Incremental
		returns := incremental && key != "" && r.returns(stream, key, at)
		if returns {
			back[key] = true
			if err := r.goBack(ctx, tx, stream, at); err != nil {
				return nil, err
			}
			warnings = append(warnings, fmt.Sprintf("stream %q: a read that started over was cut off, and the connector goes on from before it: "+
				"what it brought is dropped", stream.String()))
			at = streamPosition{}
		}
		r.place(stream, at, incremental && key == "" && startsOver(configured), key != "")
	}
	for key := range back {
		if err := r.restore(ctx, tx, key); err != nil {
			return nil, err
		}
	}
	return warnings, nil
}

// returns says that a stream whose earlier run had started over goes on from where its table is. That run has committed states of the generation
// since, unless it was cut off at once; the journal that gave the state may be behind those.
func (r *resumption) returns(stream airbyte.StreamDescriptor, key string, at streamPosition) bool {
	if !at.starts && at.generation == (relation{}) {
		return false
	}
	committed := r.are[covering(stream, r.are)]
	return committed == "" || r.were[key] == at.targetDigest && r.were[key] != committed
}

// goBack forgets the generation of a stream.
func (r *resumption) goBack(ctx context.Context, tx pgx.Tx, stream airbyte.StreamDescriptor, at streamPosition) error {
	if _, err := tx.Exec(ctx, r.client.sql(goBackSQL), r.client.options.Identity.SyncID, server.CleanText(stream.Namespace),
		server.CleanText(stream.Name)); err != nil {
		return err
	}
	if at.generation == (relation{}) {
		return nil
	}
	_, err := tx.Exec(ctx, "drop table if exists "+at.generation.sql())
	return err
}

// restore makes a state that was given the committed one.
func (r *resumption) restore(ctx context.Context, tx pgx.Tx, key string) error {
	const statement = `insert into @destination_state (sync_id, key, namespace, name, state, digest, run, sequence)
values ($1, $2, $3, $4, $5, $6, $7, 0)
on conflict (sync_id, key) do update set state = excluded.state, digest = excluded.digest, run = excluded.run, sequence = 0, updated_at = now()`
	state := r.given[key]
	_, err := tx.Exec(ctx, r.client.sql(statement), r.client.options.Identity.SyncID, key, server.CleanText(state.Stream.Namespace),
		server.CleanText(state.Stream.Name), server.CleanText(string(state.State)), r.were[key], r.client.run)
	return err
}

// place gives a target what is known of its stream.
func (r *resumption) place(stream airbyte.StreamDescriptor, at streamPosition, fromStart, resumes bool) {
	c := r.client
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.targets[stream]
	if t == nil {
		return
	}
	t.generation, t.fromStart, t.startsOver = at.generation, fromStart, at.starts && resumes
	t.targetDigest = at.targetDigest
	if !at.starts && at.generation == (relation{}) {
		t.targetDigest = r.are[covering(stream, r.are)]
	}
}

// startsOver says that an incremental stream without a state replaces what its table holds, as mapping decides it.
func startsOver(stream airbyte.ConfiguredStream) bool {
	generation, minimum := stream.GenerationID, stream.MinimumGenerationID
	return generation == nil || minimum == nil || *minimum == *generation && *minimum > 0
}

const committedSQL = `select key, namespace, name, state, updated_at from @destination_state where sync_id = $1 order by key`

// Committed are the states that the connector may go on from.
func (c *Client) Committed(ctx context.Context) ([]sidecar.SavedState, error) {
	if err := c.prepare(ctx); err != nil {
		return nil, err
	}
	pool, err := c.connections(ctx)
	if err != nil {
		return nil, c.explain(ctx, nil, err)
	}
	rows, err := pool.Query(ctx, c.sql(committedSQL), c.options.Identity.SyncID)
	if err != nil {
		return nil, c.explain(ctx, nil, err)
	}
	states, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (s sidecar.SavedState, err error) {
		var text string
		err = row.Scan(&s.Key, &s.Stream.Namespace, &s.Stream.Name, &text, &s.SavedAt)
		s.State = json.RawMessage(text)
		return s, err
	})
	if err != nil {
		return nil, c.explain(ctx, nil, fmt.Errorf("read the committed states: %w", err))
	}
	return states, nil
}

// ownComments are those on generations that this run alone fills; nil says that it does so with all of the sync.
func (c *Client) ownComments() []string {
	if !c.options.Identity.Shard.Active() {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	comments := []string{}
	for stream := range c.targets {
		comments = append(comments, c.generationComment(stream))
	}
	return comments
}

const leftoversSQL = `select n.nspname, c.relname
from pg_class c join pg_namespace n on n.oid = c.relnamespace
join pg_description d on d.objoid = c.oid and d.classoid = 'pg_class'::regclass and d.objsubid = 0
where c.relkind = 'r' and starts_with(d.description, $2) and ($3::text[] is null or d.description = any ($3))
    and pg_has_role(c.relowner, 'USAGE') and not exists (
    select from @destination_stream s where s.sync_id = $1 and s.generation_schema = n.nspname and s.generation = c.relname)`

// dropLeftovers drops the tables of generations of this sync that no position refers to: of runs that were killed before their first commit. A shard
// leaves those of other streams alone: their shards may have made them just now.
func (c *Client) dropLeftovers(ctx context.Context) error {
	pool, err := c.connections(ctx)
	if err != nil {
		return err
	}
	rows, err := pool.Query(ctx, c.sql(leftoversSQL), c.options.Identity.SyncID, c.generationMark(), c.ownComments())
	if err != nil {
		return err
	}
	left, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (r relation, err error) {
		err = row.Scan(&r.schema, &r.name)
		return r, err
	})
	if err != nil {
		return err
	}
	for _, table := range left {
		if !generationName.MatchString(table.name) {
			continue
		}
		err := c.alter(ctx, func(tx pgx.Tx) error {
			_, err := tx.Exec(ctx, "drop table if exists "+table.sql())
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}
