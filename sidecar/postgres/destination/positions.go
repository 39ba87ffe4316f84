package destination

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/canonical"
	"sync-sidecar/sidecar/postgres/server"
)

// sql puts the schema of the position tables where a statement has @.
func (c *Client) sql(statement string) string { return strings.ReplaceAll(statement, "@", c.journal) }

// move is a step of the position of a sync, in the transaction of what it tells of.
type move struct {
	client  *Client
	load    string
	streams []streamMove
	states  []sidecar.SavedState
	// starts are the streams that start over and had no load yet: once something of this read is committed, they are at its beginning, too.
	starts []*target
}

// streamMove is what becomes of a stream.
type streamMove struct {
	target     *target
	begins     bool
	generation relation // afterwards; empty is none
	gone       relation // a generation that is dropped
}

// position is the step of a load.
func (w *work) position() streamMove {
	s := streamMove{target: w.target, begins: w.begins, generation: w.generation}
	if w.before != (relation{}) && w.before != w.generation {
		s.gone = w.before
	}
	return s
}

const (
	startSQL = `insert into @destination_stream (sync_id, namespace, name, load, starts, target_digest)
select $1, namespace, name, '', true, nullif(digest, '') from unnest($2::text[], $3::text[], $4::text[]) as s (namespace, name, digest)
on conflict (sync_id, namespace, name) do update set starts = true, generation_schema = null, generation = null,
    target_digest = excluded.target_digest, updated_at = now()`

	forgetSQL = `delete from @destination_state where sync_id = $1 and key = any ($2::text[])`

	streamSQL = `insert into @destination_stream as s (sync_id, namespace, name, load, starts, generation_schema, generation, target_digest)
values ($1, $2, $3, $4, false, nullif($5, ''), nullif($6, ''), null)
on conflict (sync_id, namespace, name) do update set load = excluded.load, starts = false, generation_schema = excluded.generation_schema,
    generation = excluded.generation, target_digest = case when excluded.generation is not null then s.target_digest end, updated_at = now()`

	// statesSQL carries out a sidecar.StatePlan, as the journal does. Its parts see the rows as they were before. What a run committed stays where it is
	// later in the run: transactions need not end in the order in which their states came.
	statesSQL = `
with stands as (
    select coalesce(bool_or(key = $9), false) as global, coalesce(bool_or(key = $10), false) as legacy from @destination_state where sync_id = $1
), planned as (
    select plan.*, plan.unless_global and global or plan.unless_legacy and legacy as refused
    from unnest($2::text[], $3::text[], $4::boolean[], $5::boolean[], $11::text[], $12::text[], $13::text[], $15::bigint[])
        as plan (key, state, unless_global, unless_legacy, digest, namespace, name, sequence), stands
), gone as (
    delete from @destination_state
    where sync_id = $1 and (run <> $14 or sequence <= $16) and key not in (select key from planned where not refused) and (
        key = any ($6::text[]) or key in (select key from planned)
        or $7::boolean and key not in ($9, $10) and key <> all ($8::text[])
    )
)
insert into @destination_state as s (sync_id, key, namespace, name, state, digest, run, sequence)
select $1, key, namespace, name, state, digest, $14, sequence from planned where not refused
on conflict (sync_id, key) do update set state = excluded.state, digest = excluded.digest, run = excluded.run, sequence = excluded.sequence,
    updated_at = now()
where s.run <> excluded.run or s.sequence <= excluded.sequence`
)

// step makes the move in a transaction and commits that.
func (m *move) step(ctx context.Context, tx pgx.Tx) error {
	if m.client.beginnings() {
		select {
		case m.client.first <- struct{}{}:
			defer func() { <-m.client.first }()
		case <-ctx.Done():
			rollback(ctx, tx)
			return context.Cause(ctx)
		}
	}
	if err := m.make(ctx, tx); err != nil {
		rollback(ctx, tx)
		return err
	}
	err := commit(ctx, tx)
	if err == nil {
		m.made()
	} else if lost := (*lostCommit)(nil); errors.As(err, &lost) {
		m.doubt()
	}
	return err
}

// beginnings says that streams start over of which the position does not know that yet.
func (c *Client) beginnings() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range c.targets {
		if t.fromStart && !t.started {
			return true
		}
	}
	return false
}

// doubt keeps others from moving the streams back to their beginning, until it is known whether they left it.
func (m *move) doubt() {
	m.client.mu.Lock()
	defer m.client.mu.Unlock()
	for _, s := range m.streams {
		s.target.doubt = true
	}
}

// make makes the move in a transaction, which no other run can make any more once this was committed.
func (m *move) make(ctx context.Context, tx pgx.Tx) error {
	c := m.client
	if err := c.mayCommit(ctx, tx); err != nil {
		return err
	}
	batch := &pgx.Batch{}
	if m.starts = m.starting(); len(m.starts) > 0 {
		m.queueStarts(batch)
	}
	for _, s := range m.streams {
		namespace, name := s.target.key()
		batch.Queue(c.sql(streamSQL), c.options.Identity.SyncID, namespace, name, m.load, s.generation.schema, s.generation.name)
		if s.gone != (relation{}) {
			batch.Queue("drop table if exists " + s.gone.sql())
		}
	}
	m.queueStates(batch)
	if batch.Len() == 0 {
		return nil
	}
	return tx.SendBatch(ctx, batch).Close()
}

// starting are the streams that start over with this step. Where it begins something, those are all that the connector reads from their beginning, at
// once: one state may have covered them all. Else they are those that its states cover, of which no row came yet.
func (m *move) starting() []*target {
	c := m.client
	c.mu.Lock()
	defer c.mu.Unlock()
	var starts []*target
	for _, t := range c.targets {
		if t.fromStart && !t.started && !t.doubt && (m.begins() || m.covers(t)) {
			starts = append(starts, t)
		}
	}
	slices.SortFunc(starts, func(a, b *target) int { return strings.Compare(a.stream.String(), b.stream.String()) })
	return starts
}

// begins says that the first rows of a stream that starts over come with this step.
func (m *move) begins() bool {
	return slices.ContainsFunc(m.streams, func(s streamMove) bool { return s.begins })
}

// covers says that one of the states is the stream's, or that of all streams.
func (m *move) covers(t *target) bool {
	return slices.ContainsFunc(m.states, func(s sidecar.SavedState) bool { return sidecar.OfAllStreams(s.Key) || s.Stream == t.stream })
}

// queueStarts writes that streams are at their beginning, and forgets the states that they were at before.
func (m *move) queueStarts(batch *pgx.Batch) {
	c := m.client
	namespaces, names, digests, keys := []string{}, []string{}, []string{}, []string{}
	if m.begins() {
		keys = append(keys, sidecar.GlobalStateKey, sidecar.LegacyStateKey)
	}
	for _, t := range m.starts {
		namespace, name := t.key()
		namespaces, names = append(namespaces, namespace), append(names, name)
		digests, keys = append(digests, t.targetDigest), append(keys, server.CleanText(t.stream.String()))
	}
	batch.Queue(c.sql(startSQL), c.options.Identity.SyncID, namespaces, names, digests)
	batch.Queue(c.sql(forgetSQL), c.options.Identity.SyncID, keys)
}

// queueStates writes the states.
func (m *move) queueStates(batch *pgx.Batch) {
	c := m.client
	if m.states = c.newer(m.states); len(m.states) == 0 {
		return
	}
	for i := range m.states {
		m.states[i].Key = server.CleanText(m.states[i].Key)
	}
	c.mu.Lock()
	plan := c.kinds.Plan(m.states)
	c.mu.Unlock()
	keys, values, digests, namespaces, names := []string{}, []string{}, []string{}, []string{}, []string{} // not nil: a null array matches nothing
	unlessGlobal, unlessLegacy, sequences, last := []bool{}, []bool{}, []int64{}, int64(0)
	for _, state := range plan.Save {
		keys, values = append(keys, state.Key), append(values, server.CleanText(string(state.State)))
		digests = append(digests, digest(state.State))
		namespaces, names = append(namespaces, server.CleanText(state.Stream.Namespace)), append(names, server.CleanText(state.Stream.Name))
		unlessGlobal, unlessLegacy = append(unlessGlobal, state.UnlessGlobal), append(unlessLegacy, state.UnlessLegacy)
		sequences = append(sequences, state.Sequence)
	}
	for _, state := range m.states {
		last = max(last, state.Sequence)
	}
	batch.Queue(c.sql(statesSQL), c.options.Identity.SyncID, keys, values, unlessGlobal, unlessLegacy, append([]string{}, plan.Gone...),
		plan.AllStreams, append([]string{}, plan.Kept...), sidecar.GlobalStateKey, sidecar.LegacyStateKey, digests, namespaces, names,
		c.run, sequences, last)
}

// digest tells states apart by what they mean: the journal that hands one out may spell it differently.
func digest(state json.RawMessage) string {
	spelled, err := canonical.JSON(state)
	if err != nil { // no JSON: it is what it is
		spelled = state
	}
	sum := sha256.Sum256(spelled)
	return hex.EncodeToString(sum[:])
}

// made takes note of a step that was committed.
func (m *move) made() {
	c := m.client
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range m.starts {
		t.started = true
	}
	for _, s := range m.streams {
		s.target.startsOver, s.target.fromStart, s.target.doubt = false, false, false
		s.target.generation = s.generation
	}
	c.kinds.Saved(m.states)
	for _, state := range m.states {
		c.committed[state.Key] = max(c.committed[state.Key], state.Sequence)
	}
}
