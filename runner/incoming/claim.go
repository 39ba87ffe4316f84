package incoming

import (
	"context"
	"net"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/local"
	"sync-sidecar/sidecar/remote"
)

// OfReads says of a name in a sync's folder that only a read, which claims the folder, may change what it is of.
func OfReads(name string) bool { return local.OfReads(name) }

// OfStates says of a name in a sync's folder that it is one of the files that hold the saved states.
func OfStates(name string) bool { return local.OfStates(name) }

// Claim is the right to change the folder of a sync, until Release or the end of the process.
type Claim struct {
	folder *local.Folder
}

// ClaimFolder locks the folder of a sync below localDir, as a sidecar that reads into it does. The error names who holds it.
func ClaimFolder(ctx context.Context, localDir, syncID, taskID string) (*Claim, error) {
	folder, err := local.Open(ctx, local.Options{Dir: localDir, Identity: sidecar.Identity{SyncID: syncID, TaskID: taskID}})
	if err != nil {
		return nil, err
	}
	if err := folder.Lock(ctx); err != nil {
		return nil, err
	}
	return &Claim{folder}, nil
}

// Release lets others use the folder. It waits for nothing.
func (c *Claim) Release(ctx context.Context) error { return c.folder.Close(ctx) }

// Shared is a folder of this machine that a sidecar elsewhere works in.
type Shared struct {
	folder *local.Folder
	host   *remote.Host
}

// ShareFolder opens the folder of a sync below localDir for a sidecar elsewhere. alone claims it, as ClaimFolder does, for a read that keeps anything
// in it. configFile is the name of the file, in the folder, for a configuration that the connector changed.
func ShareFolder(ctx context.Context, localDir string, identity sidecar.Identity, configFile string, alone bool) (*Shared, error) {
	folder, err := local.Open(ctx, local.Options{Dir: localDir, Identity: identity})
	if err != nil {
		return nil, err
	}
	if alone {
		if err := folder.Lock(ctx); err != nil {
			return nil, err
		}
	}
	return &Shared{folder: folder, host: remote.NewHost(folder, configFile)}, nil
}

// Serve does what the sidecar at the other end of a connection asks for, until the connection or ctx ends. It closes the connection.
func (s *Shared) Serve(ctx context.Context, conn net.Conn) { s.host.Serve(ctx, conn) }

// Close lets others use the folder, once what was asked for is done.
func (s *Shared) Close(ctx context.Context) error {
	s.host.Close()
	return s.folder.Close(ctx)
}
