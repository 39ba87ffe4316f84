package incoming

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
	"sync-sidecar/sidecar/local"
)

// OfReads says of a name in a sync's folder that only a read, which claims the folder, may change what it is of.
func OfReads(name string) bool { return local.OfReads(name) }

// RowsOf says of a name in a sync's folder whether a read of the configured catalog needs it: of the rows, it needs those of its own streams.
func RowsOf(catalog []byte) (needed func(name string) bool, err error) {
	configured, err := airbyte.ParseConfiguredCatalog(catalog)
	if err != nil {
		return nil, fmt.Errorf("the catalog: %w", err)
	}
	files := map[string]bool{}
	for _, stream := range configured.Streams {
		for name := local.RowsFile(stream.Stream.Descriptor()); name != "."; name = path.Dir(name) {
			files[name] = true // and the folders above
		}
	}
	return func(name string) bool {
		top, _, _ := strings.Cut(name, "/")
		return !local.OfRows(top) || files[name]
	}, nil
}

// StateDigest tells whether anything has been read into a sync's folder since: reads change what it is made of.
func StateDigest(dir string) (string, error) {
	hash := sha256.New()
	for _, name := range local.RecordFiles() {
		content, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("look at the saved state: %w", err)
		}
		fmt.Fprintf(hash, "%s %d\n%s\n", name, len(content), content)
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}

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
