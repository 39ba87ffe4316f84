package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
	"sync-sidecar/sidecar/postgres/server"
)

const loadStatesSQL = `select stream, state::text, timestamp from @source_state where sync_id = $1`

// LoadStates returns what was saved for this SyncID, by us or by the console. Whoever knows the catalog matches by Key: in Stream a key with dots
// is split at the first, which is wrong for a stream without a namespace whose name has a dot.
func (j *Journal) LoadStates(ctx context.Context) ([]sidecar.SavedState, error) {
	if err := j.needSyncID(); err != nil {
		return nil, err
	}
	rows, err := j.pool.Query(ctx, j.sql(loadStatesSQL), j.identity.SyncID)
	if err != nil {
		return nil, j.fail("load states", err)
	}
	states, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (s sidecar.SavedState, err error) {
		var stored string
		if err := row.Scan(&s.Key, &stored, &s.SavedAt); err != nil {
			return s, err
		}
		s.Stream = streamOf(s.Key)
		s.State = json.RawMessage(server.UnescapeState([]byte(stored)))
		return s, nil
	})
	if err != nil {
		return nil, j.fail("load states", err)
	}
	return states, nil
}

// streamOf is the best guess of the descriptor whose String is key.
func streamOf(key string) airbyte.StreamDescriptor {
	if sidecar.OfAllStreams(key) {
		return airbyte.StreamDescriptor{}
	}
	if namespace, name, dotted := strings.Cut(key, "."); dotted {
		return airbyte.StreamDescriptor{Namespace: namespace, Name: name}
	}
	return airbyte.StreamDescriptor{Name: key}
}

// saveStatesSQL carries out a sidecar.StatePlan. Its parts see the rows as they were before, so what goes and what is written must not overlap.
const saveStatesSQL = `
with stands as (
    select coalesce(bool_or(stream = $9), false) as global, coalesce(bool_or(stream = $10), false) as legacy from @source_state where sync_id = $1
), planned as (
    select key, state, unless_global and global or unless_legacy and legacy as refused
    from unnest($2::text[], $3::text[], $4::boolean[], $5::boolean[]) as plan (key, state, unless_global, unless_legacy), stands
), gone as (
    delete from @source_state
    where sync_id = $1 and stream not in (select key from planned where not refused) and (
        stream = any ($6::text[]) or stream in (select key from planned)
        or $7::boolean and stream not in ($9, $10) and stream <> all ($8::text[])
    )
)
insert into @source_state (sync_id, stream, state, timestamp)
select $1, key, state::jsonb, now() from planned where not refused
on conflict (sync_id, stream) do update set state = excluded.state, timestamp = excluded.timestamp`

// SaveStates saves all of them or none, the last of each key. What becomes of the states of other kinds sidecar.StateKinds says.
//
// A run whose lock another took over saves no more states: its error is then a *LockedError.
func (j *Journal) SaveStates(ctx context.Context, states []sidecar.SavedState) error {
	if len(states) == 0 {
		return nil
	}
	if err := j.needSyncID(); err != nil {
		return err
	}
	if locked := (*LockedError)(nil); errors.As(j.LockError(), &locked) {
		return j.fail("save states", locked)
	}
	states = slices.Clone(states)
	for i := range states {
		states[i].Key = server.CleanText(states[i].Key)
	}
	j.mu.Lock()
	plan := j.kinds.Plan(states)
	j.mu.Unlock()
	keys, values, unlessGlobal, unlessLegacy := []string{}, []string{}, []bool{}, []bool{} // not nil: a null array matches nothing
	for _, state := range plan.Save {
		keys, values = append(keys, state.Key), append(values, string(server.EscapeState(state.State)))
		unlessGlobal, unlessLegacy = append(unlessGlobal, state.UnlessGlobal), append(unlessLegacy, state.UnlessLegacy)
	}
	err := j.exec(ctx, "save states", saveStatesSQL, j.identity.SyncID, keys, values, unlessGlobal, unlessLegacy,
		append([]string{}, plan.Gone...), plan.AllStreams, append([]string{}, plan.Kept...), sidecar.GlobalStateKey, sidecar.LegacyStateKey)
	if server.IsRefusal(err) {
		return fmt.Errorf("%w: %w", sidecar.ErrStateRefused, err)
	}
	if err == nil {
		j.mu.Lock()
		j.kinds.Saved(states)
		j.mu.Unlock()
	}
	return err
}

const replaceStatesSQL = `
with gone as (
    delete from @source_state where sync_id = $1 and stream = any ($2::text[]) and stream <> all ($3::text[])
)
insert into @source_state (sync_id, stream, state, timestamp)
select $1, key, state::jsonb, now() from unnest($3::text[], $4::text[]) as given (key, state)
on conflict (sync_id, stream) do update set state = excluded.state, timestamp = excluded.timestamp`

// ReplaceStates implements sidecar.StateReplacer.
func (j *Journal) ReplaceStates(ctx context.Context, gone []string, states []sidecar.SavedState) error {
	if err := j.needSyncID(); err != nil {
		return err
	}
	if locked := (*LockedError)(nil); errors.As(j.LockError(), &locked) {
		return j.fail("replace states", locked)
	}
	forgotten, keys, values := []string{}, []string{}, []string{} // not nil: a null array matches nothing
	for _, key := range gone {
		forgotten = append(forgotten, server.CleanText(key))
	}
	for _, state := range states {
		keys, values = append(keys, server.CleanText(state.Key)), append(values, string(server.EscapeState(state.State)))
	}
	err := j.exec(ctx, "replace states", replaceStatesSQL, j.identity.SyncID, forgotten, keys, values)
	if server.IsRefusal(err) {
		return fmt.Errorf("%w: %w", sidecar.ErrStateRefused, err)
	}
	return err
}

// mostSyncs bounds Syncs.
const mostSyncs = 1000

const syncsSQL = `select distinct sync_id from @source_state order by sync_id limit $1`

// Syncs are the ids of the syncs that have a saved state, the first 1000 of them.
func (j *Journal) Syncs(ctx context.Context) ([]string, error) {
	rows, err := j.pool.Query(ctx, j.sql(syncsSQL), mostSyncs)
	if err != nil {
		return nil, j.fail("list the syncs", err)
	}
	syncs, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, j.fail("list the syncs", err)
	}
	return syncs, nil
}

func (j *Journal) needSyncID() error {
	if j.identity.SyncID == "" {
		return errors.New("SYNC_ID is empty: states in Postgres belong to a sync, give it an id")
	}
	return nil
}
