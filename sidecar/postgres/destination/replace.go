package destination

import (
	"context"
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

// goBackTo commits a state, and lets the streams that it covers go on from their tables.
func (r *resumption) goBackTo(ctx context.Context, tx pgx.Tx, key string, state sidecar.SavedState) error {
	for stream, at := range r.streams {
		of := airbyte.StreamDescriptor{Namespace: server.CleanText(state.Stream.Namespace), Name: server.CleanText(state.Stream.Name)}
		if sidecar.OfAllStreams(key) || stream == of {
			if err := r.goBack(ctx, tx, stream, at); err != nil {
				return err
			}
		}
	}
	c := r.client
	_, err := tx.Exec(ctx, c.sql(replacedSQL), c.options.Identity.SyncID, key, server.CleanText(state.Stream.Namespace),
		server.CleanText(state.Stream.Name), server.CleanText(string(state.State)), r.were[key], c.run)
	return err
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
