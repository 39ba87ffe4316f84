package destination

import (
	"context"
	"errors"
	"slices"

	"sync-sidecar/sidecar/postgres/layout"
)

// learn says that another try can do better than one that ended with err, and what it has to know.
func (d *delivery) learn(ctx context.Context, err error) bool {
	if errors.Is(err, layout.ErrNewColumn) {
		d.observe = true
		return true
	}
	failed := (*tableError)(nil)
	if !errors.As(err, &failed) {
		return false
	}
	w := failed.work
	if w.way == keyLast && sqlState(err) != "" { // the table is made beforehand, and what else there is to learn is of a table that is there
		w.target.keyFirst, w.target.duplicates = true, w.target.duplicates || sqlState(err) == uniqueViolation
		return true
	}
	switch sqlState(err) {
	case uniqueViolation, cardinality:
		if len(w.key) > 0 && w.clear && !w.target.duplicates {
			w.target.duplicates = true
			return true
		}
	case noParent:
		return d.postpone(w)
	case undefinedTable, undefinedColumn, noConflictTarget: // somebody changed it under the load
		w.target.changed++
		return w.target.changed < maxChanges
	default:
		return w.target.refusals.learn(ctx, d.client, w, err)
	}
	return false
}

// postpone writes a load behind the others of the transaction, one of which may bring the rows that a foreign key of its table needs.
func (d *delivery) postpone(w *work) bool {
	at := slices.Index(d.targets, w.target)
	if d.postponed++; at < 0 || at == len(d.targets)-1 || d.postponed > len(d.targets) {
		return false
	}
	load := d.loads[at]
	d.loads = append(slices.Delete(slices.Clone(d.loads), at, at+1), load)
	d.targets = append(slices.Delete(slices.Clone(d.targets), at, at+1), w.target)
	return true
}

// maxChanges is how often a table may change under loads before that is an error.
const maxChanges = 3
