// Package incoming brings what a run has for it into the caller's folder of a sync: whoever may change what a read keeps there claims it first, a
// sidecar on another machine works in it over a connection (package remote), and a file that is complete in itself is replaced as a whole.
package incoming

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"sync-sidecar/sidecar/atomicfile"
)

// File is one file on its way.
type File struct {
	Name     string // its path in the folder, with slashes
	Mode     fs.FileMode
	Modified time.Time
	Content  io.Reader
}

// Replace writes one file of dir by itself: for what is complete in itself, such as a result.
func Replace(dir string, f File) error {
	if !filepath.IsLocal(filepath.FromSlash(f.Name)) {
		return fmt.Errorf("file %q would be outside of %s", f.Name, dir)
	}
	target := filepath.Join(dir, filepath.FromSlash(f.Name))
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return fmt.Errorf("make a folder for %s: %w", f.Name, err)
	}
	return atomicfile.Write(target, f.Content, atomicfile.Options{Mode: f.Mode, Umask: true, Modified: f.Modified})
}
