// Package local keeps rows, results, states, status and logs in a folder: the Destination and the Journal of a sync that has no Bulker or no
// Postgres. Everything is made for other tools to read.
//
// A sync has a folder of its own below LOCAL_DIR (see Dir):
//
//	rows/<stream>.ndjson              one JSON object a line; rows/<namespace>/<stream>.ndjson with a namespace (see RowsFile)
//	keys/<stream>.ndjson/             the keys of a large file of rows with one row per key (package keyindex); may be removed at any time
//	state.json                        the states, and how far each file of rows is committed by them
//	state.changes.ndjson              what has changed since state.json was written; there while a read of many streams runs, or after a kill
//	spec.json catalog.json            what the source sent; spec.status.json and catalog.status.json say how it went
//	check.json                        the outcome of the last check
//	task.json                         status and streams of the last read
//	log.txt                           the log
//	lock                              held while a read runs; names its process
//
// # Exactly once
//
// With every state the folder records how many bytes of each file that state covers, in one rename. A read that starts from a saved state first
// cuts the files to what that state covers (Resume), so that each row is there exactly once after any crash. The state that the source starts
// from may be kept elsewhere (Mirror) and be older than the newest one here: the last few are remembered, and told apart by digest. When none of
// them is the one given, nothing is cut: rows may then be there twice, and Resume says so. Nothing is read into a file that has lost rows which the
// state covers: they would not come again.
package local

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
)

var (
	_ sidecar.Destination   = (*Folder)(nil)
	_ sidecar.Resumer       = (*Folder)(nil)
	_ sidecar.Mirrorer      = (*Folder)(nil)
	_ sidecar.Finisher      = (*Folder)(nil)
	_ sidecar.Journal       = (*Folder)(nil)
	_ sidecar.StateReplacer = (*Folder)(nil)
)

// Options of a Folder.
type Options struct {
	Dir      string // LOCAL_DIR; made when missing
	Identity sidecar.Identity
}

// Folder is the folder of one sync. Its methods may be called from several goroutines.
type Folder struct {
	dir      string // below LOCAL_DIR
	identity sidecar.Identity
	buffers  sync.Pool // *[]byte of copyBuffer bytes

	indexFrom int64 // the constant, but in tests

	records sync.Mutex // whose turn it is to change the record: held while the disk works; taken before mu
	// +checklocks:records
	store recordStore
	// +checklocks:records
	kinds sidecar.StateKinds

	mu     sync.Mutex // for bookkeeping
	record record     // as it is on disk; changes while both are held, and is read while one is (which checklocks cannot say)
	// +checklocks:mu
	lock *os.File // holds the flock; nil when not locked
	// +checklocks:mu
	refused error // why Lock failed: task.json is another run's then
	// +checklocks:mu
	files map[airbyte.StreamDescriptor]*rowsFile
	// +checklocks:mu
	swaps []*swapping // that wait for records

	texts sync.Mutex // whose turn it is to change task.json, log.txt and the results: held while the disk works
}

// rowsFile is a file of rows during a read. Its fields but the first two are guarded by Folder.mu.
type rowsFile struct {
	name   string // RowsFile
	path   string
	config airbyte.ConfiguredStream
	end    int64 // size of what is acknowledged
	handed int64 // bytes acknowledged in this read
	// floor is where a position of this read lies at least: behind rows that were brought to one per key, positions before cannot be told.
	floor   int64
	dirty   bool // not yet brought to the disk
	created bool // its name is not yet brought to the disk
	keyless bool // the session delivers it without a primary key: its rows are never merged
	// early are the states of this read that cover no row of this stream yet: should its first load make the file anew, they stand at its begin.
	early fileRecord
	// unconfirmed says that another journal has yet to take the last state recorded here.
	unconfirmed bool
}

// base is where the first row of this read is, or would be. It is negative when a replaced file begins in the middle of the read.
func (r *rowsFile) base() int64 { return r.end - r.handed }

// Open opens the folder of a sync, and makes it when it is missing. A damaged state.json is an error and stays as it is.
func Open(_ context.Context, options Options) (*Folder, error) {
	dir := Dir(options.Dir, options.Identity)
	if err := makeFolder(dir); err != nil {
		return nil, err
	}
	read, err := readRecord(dir)
	if err != nil {
		return nil, err
	}
	read.SyncID = options.Identity.SyncID
	return &Folder{
		dir:      dir,
		identity: options.Identity,
		buffers:  sync.Pool{New: func() any { buffer := make([]byte, copyBuffer); return &buffer }},
		store:    recordStore{dir: dir, small: smallRecord},
		record:   read,

		indexFrom: indexFrom,
	}, nil
}

// makeFolder makes a folder and brings its name to the disk.
func makeFolder(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil // should it be a file, the first use of it says so
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return diskError(dir, err)
	}
	return syncPath(filepath.Dir(dir))
}

// Path is the sync's own folder.
func (f *Folder) Path() string { return f.dir }

// String names the folder in messages.
func (f *Folder) String() string { return "local folder " + f.dir }

// Capabilities implements sidecar.Destination.
func (f *Folder) Capabilities() sidecar.Capabilities { return Capabilities() }

// Capabilities are those of every Folder.
func Capabilities() sidecar.Capabilities { return sidecar.Capabilities{ReplaceEmpty: true} }

// Place implements sidecar.Destination.
func (f *Folder) Place(tables []sidecar.Table) ([]sidecar.Placement, error) {
	return Place(tables), nil
}

// Place says where every Folder keeps the rows of tables: every stream has a file of its own, whatever its table is called.
func Place(tables []sidecar.Table) []sidecar.Placement {
	placements := make([]sidecar.Placement, len(tables))
	for i, table := range tables {
		placements[i].Name = RowsFile(table.Stream)
	}
	return placements
}

// Close unlocks the folder. Rows that no state covers stay; the next Resume decides about them.
func (f *Folder) Close(context.Context) error {
	f.leaveUnlessBusy()
	f.mu.Lock()
	lock := f.lock
	f.lock = nil
	f.mu.Unlock()
	if lock == nil {
		return nil
	}
	// Closing alone would leave the lock to a program that this process is just starting, until that has closed what it inherited.
	if err := errors.Join(syscall.Flock(int(lock.Fd()), syscall.LOCK_UN), lock.Close()); err != nil {
		return fmt.Errorf("unlock %s: %w", f.dir, err)
	}
	return nil
}

// leaveUnlessBusy is leave, but for a folder in which a write hangs: that must not keep the process. (checklocks does not know TryLock.)
//
// +checklocksignore
func (f *Folder) leaveUnlessBusy() {
	if f.records.TryLock() {
		f.leave()
		f.records.Unlock()
	}
}

// leave notes how large each file is, and leaves state.json alone behind. Where that cannot be done, what is recorded is as good, but for what
// somebody adds to a file until the next read.
//
// +checklocks:f.records
func (f *Folder) leave() (left bool) {
	e := newEdit(&f.record)
	f.mu.Lock()
	held := f.lock != nil
	files := slices.Collect(maps.Values(f.files))
	ends := make([]int64, len(files))
	for i, file := range files {
		ends[i] = file.end
	}
	f.mu.Unlock()
	for i, file := range files {
		info, err := os.Stat(file.path)
		if known, found := e.file(file.name); found && err == nil && info.Size() == ends[i] {
			size, changed := info.Size(), info.ModTime().UTC()
			known.Left, known.LeftAt = &size, &changed
			e.setFile(file.name, known)
		}
	}
	if !held || len(e.Files) == 0 && f.store.size == 0 {
		return true
	}
	return f.store.rewrite(f.record.with(e.change)) == nil
}

// rowsPath is where the rows of a stream are.
func (f *Folder) rowsPath(stream airbyte.StreamDescriptor) string {
	return filepath.Join(f.dir, filepath.FromSlash(RowsFile(stream)))
}

// change changes the record; the one in memory changes only when that is on the disk.
//
// +checklocks:f.records
func (f *Folder) change(update func(*edit) error) error { return f.changeRecord(update, true) }

// changeSoon is change for what Resume finds out by itself should a power cut undo it.
//
// +checklocks:f.records
func (f *Folder) changeSoon(update func(*edit) error) error { return f.changeRecord(update, false) }

// +checklocks:f.records
func (f *Folder) changeRecord(update func(*edit) error, synced bool) error {
	e := newEdit(&f.record)
	if err := update(e); err != nil {
		return err
	}
	if err := f.store.write(f.record, e.change, synced); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.record.apply(e.change)
	return nil
}
