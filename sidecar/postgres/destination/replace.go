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

const replacedSQL = `insert into @destination_state (sync_id, key, namespace, name, state, digest, run, sequence)
values ($1, $2, $3, $4, $5, $6, $7, 0)
on conflict (sync_id, key) do update set namespace = excluded.namespace, name = excluded.name, state = excluded.state, digest = excluded.digest,
    run = excluded.run, sequence = 0, updated_at = now()`

// ReplaceStates implements sidecar.StateReplacer. It takes the sync over, as a run does: one that lives on somewhere can commit no more. A state that
// is committed already stays as it is. Another one tells of the stream's own table: what a read that started over has filled beside it is dropped.
func (c *Client) ReplaceStates(ctx context.Context, gone []string, states []sidecar.SavedState) error {
	if err := c.prepare(ctx); err != nil {
		return err
	}
	err := c.transact(ctx, lockForRows, func(tx pgx.Tx) error {
		id := c.options.Identity
		if _, err := tx.Exec(ctx, c.sql(takeOverSQL), id.SyncID, c.run, id.TaskID); err != nil {
			return err
		}
		r, err := c.resumption(ctx, tx, states)
		if err != nil {
			return err
		}
		var keys []string
		for _, key := range gone {
			if key = server.CleanText(key); r.were[key] == "" {
				keys = append(keys, key)
			}
		}
		if _, err := tx.Exec(ctx, c.sql(forgetSQL), id.SyncID, append([]string{}, keys...)); err != nil {
			return err
		}
		for key, state := range r.given {
			if r.are[key] == r.were[key] {
				continue
			}
			if err := r.goBackTo(ctx, tx, key, state); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return c.explain(ctx, nil, fmt.Errorf("replace the committed states: %w", err))
	}
	return nil
}

// goBackTo commits a state, and lets the streams of which it says something else than the committed one go on from their tables.
func (r *resumption) goBackTo(ctx context.Context, tx pgx.Tx, key string, state sidecar.SavedState) error {
	c := r.client
	id := c.options.Identity.SyncID
	committed, err := pairs(ctx, tx, c.sql(committedTextSQL), id, key)
	if err != nil {
		return err
	}
	was, is := globalOf(committed[key]), globalOf(string(state.State))
	for stream, at := range r.streams {
		of := airbyte.StreamDescriptor{Namespace: server.CleanText(state.Stream.Namespace), Name: server.CleanText(state.Stream.Name)}
		if stream == of || sidecar.OfAllStreams(key) && !is.staysAt(was, stream) {
			if err := r.goBack(ctx, tx, stream, at); err != nil {
				return err
			}
		}
	}
	_, err = tx.Exec(ctx, c.sql(replacedSQL), id, key, server.CleanText(state.Stream.Namespace), server.CleanText(state.Stream.Name),
		server.CleanText(string(state.State)), r.were[key], c.run)
	return err
}

const committedTextSQL = `select key, state from @destination_state where sync_id = $1 and key = $2`

// global are the digests of what a GLOBAL state says.
type global struct {
	known   bool // false of any other state: it is a black box
	shared  string
	streams map[airbyte.StreamDescriptor]string
}

func globalOf(state string) global {
	var object struct {
		Shared  json.RawMessage `json:"shared_state"`
		Streams []struct {
			Stream airbyte.StreamDescriptor `json:"stream_descriptor"`
			State  json.RawMessage          `json:"stream_state"`
		} `json:"stream_states"`
	}
	if json.Unmarshal([]byte(state), &object) != nil || object.Streams == nil {
		return global{}
	}
	g := global{known: true, shared: digest(object.Shared), streams: map[airbyte.StreamDescriptor]string{}}
	for _, s := range object.Streams {
		g.streams[airbyte.StreamDescriptor{Namespace: server.CleanText(s.Stream.Namespace), Name: server.CleanText(s.Stream.Name)}] = digest(s.State)
	}
	return g
}

// staysAt says that the state is the committed one as far as a stream goes, or that only the stream's own state was taken out of it: what is read
// then comes to the rows that the committed one covers.
func (g global) staysAt(committed global, stream airbyte.StreamDescriptor) bool {
	own, has := g.streams[stream]
	return g.known && committed.known && g.shared == committed.shared && (!has || own == committed.streams[stream])
}

const (
	syncsSQL  = `select distinct sync_id from @destination_state order by sync_id limit $1`
	mostSyncs = 1000 // of Syncs
)

// Syncs are the ids of the syncs that have committed a state, the first 1000 of them.
func (c *Client) Syncs(ctx context.Context) ([]string, error) {
	if err := c.prepare(ctx); err != nil {
		return nil, err
	}
	pool, err := c.connections(ctx)
	if err != nil {
		return nil, c.explain(ctx, nil, err)
	}
	rows, err := pool.Query(ctx, c.sql(syncsSQL), mostSyncs)
	if err != nil {
		return nil, c.explain(ctx, nil, err)
	}
	syncs, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, c.explain(ctx, nil, fmt.Errorf("list the syncs: %w", err))
	}
	return syncs, nil
}
