package postgres

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
)

const loadStatesSQL = `select stream, state::text from @source_state where sync_id = $1`

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
		if err := row.Scan(&s.Key, &stored); err != nil {
			return s, err
		}
		s.Stream = streamOf(s.Key)
		s.State = json.RawMessage(unescapeState([]byte(stored)))
		return s, nil
	})
	if err != nil {
		return nil, j.fail("load states", err)
	}
	return states, nil
}

// streamOf is the best guess of the descriptor whose String is key.
func streamOf(key string) airbyte.StreamDescriptor {
	if key == sidecar.GlobalStateKey || key == sidecar.LegacyStateKey {
		return airbyte.StreamDescriptor{}
	}
	if namespace, name, dotted := strings.Cut(key, "."); dotted {
		return airbyte.StreamDescriptor{Namespace: namespace, Name: name}
	}
	return airbyte.StreamDescriptor{Name: key}
}

// The parts see the same rows as they were before, so what goes and what is written must not overlap: $3 is excluded from the first.
const saveStatesSQL = `
with gone as (
    delete from @source_state where sync_id = $1 and stream <> all ($3::text[]) and ($2::boolean or stream = any ($4::text[]))
)
insert into @source_state (sync_id, stream, state, timestamp)
select $1, key, state::jsonb, now() from unnest($3::text[], $5::text[]) as saved (key, state)
on conflict (sync_id, stream) do update set state = excluded.state, timestamp = excluded.timestamp`

// SaveStates saves all of them or none, the last of each key. A state of null deletes its row. The rows of one sync have one scope, as the console
// feeds back a GLOBAL or LEGACY state only when no other is there: one of those replaces all, a STREAM state replaces those.
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
	last := make(map[string]json.RawMessage, len(states))
	whole := false
	for _, s := range states {
		last[cleanText(s.Key)] = s.State
		whole = whole || s.Key == sidecar.GlobalStateKey || s.Key == sidecar.LegacyStateKey
	}
	keys, values := []string{}, []string{} // not nil: a null array matches nothing
	gone := []string{sidecar.GlobalStateKey, sidecar.LegacyStateKey}
	for key, state := range last {
		if len(state) == 0 || bytes.Equal(bytes.TrimSpace(state), []byte("null")) {
			gone = append(gone, key)
			continue
		}
		keys = append(keys, key)
		values = append(values, string(escapeState(state)))
	}
	err := j.exec(ctx, "save states", saveStatesSQL, j.identity.SyncID, whole, keys, gone, values)
	if isRefusal(err) {
		return fmt.Errorf("%w: %w", sidecar.ErrStateRefused, err)
	}
	return err
}

func (j *Journal) needSyncID() error {
	if j.identity.SyncID == "" {
		return errors.New("SYNC_ID is empty: states in Postgres belong to a sync, give it an id")
	}
	return nil
}
