package incoming

import (
	"context"
	"errors"
	"fmt"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/local"
)

// OfReads says of a name in a sync's folder that only a read, which claims the folder, may change what it is of.
func OfReads(name string) bool { return local.OfReads(name) }

// Claim is the right to change the folder of a sync, until Release or the end of the process.
type Claim struct {
	folder *local.Folder
}

// ClaimFolder locks the folder of a sync below localDir, as a sidecar that reads into it does, and finishes what a crash interrupted. The error names
// who holds it.
func ClaimFolder(ctx context.Context, localDir, syncID, taskID string) (*Claim, error) {
	folder, err := local.Open(ctx, local.Options{Dir: localDir, Identity: sidecar.Identity{SyncID: syncID, TaskID: taskID}})
	if err != nil {
		return nil, err
	}
	claim := &Claim{folder}
	if err := folder.Lock(ctx); err != nil {
		return nil, err
	}
	if err := Recover(folder.Path()); err != nil {
		return nil, errors.Join(fmt.Errorf("finish what an earlier run brought back: %w", err), claim.Release(ctx))
	}
	return claim, nil
}

// Release lets others use the folder. It waits for nothing.
func (c *Claim) Release(ctx context.Context) error { return c.folder.Close(ctx) }
