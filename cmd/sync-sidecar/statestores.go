package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/local"
	"sync-sidecar/sidecar/postgres"
	pgdest "sync-sidecar/sidecar/postgres/destination"
	pgserver "sync-sidecar/sidecar/postgres/server"
	"sync-sidecar/sidecar/secret"
)

// statePlace is somewhere that keeps states of a sync.
type statePlace struct {
	name     string
	load     func(ctx context.Context) ([]sidecar.SavedState, error)
	replacer sidecar.StateReplacer
	guesses  bool // it knows namespace and name of a stream only as one text
	withRows bool // it commits states together with rows
}

// statePlaces are all that the next run of a sync looks at: its journal, and the Postgres that commits states together with rows, whose word counts
// where they differ. Places in which nothing was ever saved are left out.
type statePlaces struct {
	syncID  string
	where   string // for messages
	places  []statePlace
	lock    func(ctx context.Context) error // makes this the only one that changes them
	syncs   []func(ctx context.Context) ([]string, error)
	closers []func(ctx context.Context)
}

// stateSettings are those of the settings that say where states are.
func stateSettings(c *cli.Context, env environment) (settings, error) {
	p := &problems{}
	s := settings{localDir: c.String("local-dir"), rowsFile: orPreset(c, "destination-config-file")}
	s.config.Command = sidecar.CommandRead
	s.config.Identity = sidecar.Identity{SyncID: c.String("sync-id"), TaskID: "state-" + newTaskID(time.Now()), StartedAt: time.Now().UTC()}
	var marked map[string]string
	marked, s.passwords = readMarked(c, env, p)
	s.journal = postgres.Options{URL: marked["DATABASE_URL"], Identity: s.config.Identity}
	s.tables = pgdest.Options{URL: marked["DESTINATION_URL"], Setting: "DESTINATION_URL", Schema: orPreset(c, "journal-schema"),
		Identity: s.config.Identity}
	if s.tables.URL != "" {
		s.rows = postgresDestination()
	}
	s.keepJournalWithRows()
	if s.journal.URL != "" {
		if err := s.journal.Validate(); err != nil {
			p.errs = append(p.errs, err)
		}
	}
	if len(p.errs) == 0 && s.config.Identity.SyncID != "" {
		if err := s.readDestinationConfig(); err != nil {
			p.errs = append(p.errs, err)
		}
	}
	return s, errors.Join(p.errs...)
}

// openStatePlaces opens what there is; with making also what is not there yet. The caller closes the places that it returns, also beside an error.
func openStatePlaces(ctx context.Context, s settings, making bool) (*statePlaces, error) {
	p := &statePlaces{syncID: s.config.Identity.SyncID, lock: func(context.Context) error { return nil }}
	open := p.openFolder
	if s.journal.URL != "" {
		open = p.openJournal
	}
	if err := open(ctx, s, making); err != nil {
		return p, err
	}
	if s.rows.isFolder() {
		return p, nil
	}
	s.tables.Existing = !making
	client, err := pgdest.New(s.tables)
	if err != nil {
		return p, fmt.Errorf("set up %s: %w", s.rows.name, err)
	}
	p.closers = append(p.closers, client.Close)
	if err := client.Ready(ctx); err != nil {
		if errors.Is(err, pgdest.ErrNoPositions) {
			return p, nil
		}
		return p, err
	}
	lockJournal := p.lock
	p.lock = func(ctx context.Context) error {
		if err := lockJournal(ctx); err != nil {
			return err
		}
		return client.Alone(ctx) // a run may have its journal elsewhere
	}
	p.places = append(p.places, statePlace{name: "the position of the rows in " + client.String(), load: client.Committed, replacer: client,
		withRows: true})
	p.syncs = append(p.syncs, client.Syncs)
	return p, nil
}

// openJournal opens the journal in Postgres.
func (p *statePlaces) openJournal(ctx context.Context, s settings, making bool) error {
	s.journal.Existing = !making
	journal, err := postgres.Open(ctx, s.journal)
	if failure := (*pgserver.Failure)(nil); errors.Is(err, postgres.ErrNoTables) && errors.As(err, &failure) {
		p.where = failure.Place
		return nil
	}
	if err != nil {
		return err
	}
	p.where, p.lock = journal.String(), journal.Lock
	p.places = append(p.places, statePlace{name: journal.String(), load: journal.LoadStates, replacer: journal, guesses: true})
	p.syncs = append(p.syncs, journal.Syncs)
	p.closers = append(p.closers, func(ctx context.Context) {
		_ = journal.Close(ctx) //nolint:errcheck // what was changed is committed, and the server ends the lock
	})
	return nil
}

// openFolder opens the local folder.
func (p *statePlaces) openFolder(ctx context.Context, s settings, making bool) error {
	dir := local.Dir(s.localDir, s.config.Identity)
	p.where = "folder " + s.localDir
	p.syncs = append(p.syncs, func(context.Context) ([]string, error) { return local.Syncs(s.localDir) })
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) && !making {
		return nil
	}
	folder, err := local.Open(ctx, local.Options{Dir: s.localDir, Identity: s.config.Identity})
	if err != nil {
		return err
	}
	p.lock = folder.Lock
	p.places = append(p.places, statePlace{name: folder.String(), load: folder.LoadStates, replacer: folder})
	p.closers = append(p.closers, func(ctx context.Context) {
		_ = folder.Close(ctx) //nolint:errcheck // what was changed is on the disk, and the kernel ends the lock
	})
	return nil
}

// close closes everything, and takes no longer than closeTimeout.
func (p *statePlaces) close(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	for _, closer := range p.closers {
		closer(ctx)
	}
}

// load are the states of each place, and what the next read goes on from: those of the last place, and of the others what it has none of.
func (p *statePlaces) load(ctx context.Context) (each [][]sidecar.SavedState, all []sidecar.SavedState, err error) {
	for _, place := range p.places {
		saved, err := place.load(ctx)
		if err != nil {
			return nil, nil, err
		}
		each = append(each, saved)
		all = append(slices.DeleteFunc(all, func(s sidecar.SavedState) bool {
			return slices.ContainsFunc(saved, func(newer sidecar.SavedState) bool { return newer.Key == s.Key })
		}), saved...)
	}
	return each, all, nil
}

// known are the ids of the syncs of which states are saved, sorted.
func (p *statePlaces) known(ctx context.Context) ([]string, error) {
	var all []string
	for _, list := range p.syncs {
		syncs, err := list(ctx)
		if err != nil {
			return nil, err
		}
		all = append(all, syncs...)
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

// stateMasker knows the passwords of the places, and what in the states has a name that means a secret.
func stateMasker(s settings, states ...sidecar.SavedState) *secret.Masker {
	masker := secret.NewMasker(s.passwords...)
	for _, state := range states {
		masker.Add(secret.FromConfig(state.State, nil)...)
	}
	return masker
}
