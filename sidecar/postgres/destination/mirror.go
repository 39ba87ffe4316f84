package destination

import (
	"context"
	"crypto/rand"
	"fmt"

	"sync-sidecar/sidecar"
)

// Mirror returns a journal that commits states to the position, too, before it saves them: those that came with rows are there already.
func (c *Client) Mirror(journal sidecar.Journal) sidecar.Journal {
	return &mirrorJournal{Journal: journal, client: c}
}

// mirrorJournal is what Mirror returns.
type mirrorJournal struct {
	sidecar.Journal
	client *Client
}

// LockError implements sidecar.LockKeeper, for journals that do.
func (m *mirrorJournal) LockError() error {
	if keeper, ok := m.Journal.(sidecar.LockKeeper); ok {
		return keeper.LockError()
	}
	return nil
}

// Interrupted implements sidecar.InterruptionFinder, for journals that do.
func (m *mirrorJournal) Interrupted(ctx context.Context) ([]string, error) {
	if finder, ok := m.Journal.(sidecar.InterruptionFinder); ok {
		return finder.Interrupted(ctx)
	}
	return nil, nil
}

// SaveStates commits the states that are newer than the position, and saves them in the journal.
func (m *mirrorJournal) SaveStates(ctx context.Context, states []sidecar.SavedState) error {
	if newer := m.client.newer(states); len(newer) > 0 {
		if err := m.client.commitStates(ctx, newer); err != nil {
			return err
		}
	}
	return m.Journal.SaveStates(ctx, states)
}

// newer are the states of this run that are not committed.
func (c *Client) newer(states []sidecar.SavedState) []sidecar.SavedState {
	c.mu.Lock()
	defer c.mu.Unlock()
	var newer []sidecar.SavedState
	for _, state := range states {
		if state.Sequence > c.committed[state.Key] {
			newer = append(newer, state)
		}
	}
	return newer
}

// commitStates commits states that came without rows. Committing them twice changes nothing.
func (c *Client) commitStates(ctx context.Context, states []sidecar.SavedState) error {
	if err := c.prepare(ctx); err != nil {
		return err
	}
	m := &move{client: c, load: rand.Text(), states: states}
	tx, _, err := c.begin(ctx, lockForRows)
	if err == nil {
		err = m.step(ctx, tx)
	}
	if err != nil {
		return c.explain(ctx, nil, fmt.Errorf("commit states: %w", err))
	}
	return nil
}
