package postgres

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"sync-sidecar/sidecar/postgres/server"
)

// Examination is what a look at a server found.
type Examination struct {
	Name    string // of the server and database, without the password
	Version string
	User    string
	Schema  string        // where tables are made; empty when there is none that is there
	Ahead   time.Duration // of its clock, compared with this machine's
	// MayCreate says that tables can be made there. Tables are those of the journal; Missing are not there, Forbidden cannot be read and written.
	MayCreate                  bool
	Tables, Missing, Forbidden []string
}

// Examine looks at the server of a URL and at the journal's tables, and changes nothing. Setting is what the user calls the URL.
func Examine(ctx context.Context, setting, url string) (found Examination, err error) {
	address, err := server.ParseURL(setting, url)
	if err != nil {
		return Examination{}, err
	}
	found.Name = address.Name
	pool, err := pgxpool.NewWithConfig(ctx, address.Config)
	if err != nil {
		return found, fmt.Errorf("%s: %s", setting, server.Words(err))
	}
	defer pool.Close()
	connection, err := pool.Acquire(ctx)
	if err != nil {
		return found, fmt.Errorf("cannot connect to %s (%s): %s", address.Name, setting, server.Words(err))
	}
	defer connection.Release()
	if err := found.look(ctx, connection.Conn(), address.Schema); err != nil {
		return found, fmt.Errorf("%s: %s", setting, server.Words(err))
	}
	return found, nil
}

// look asks the server.
func (x *Examination) look(ctx context.Context, connection *pgx.Conn, schema string) error {
	var now time.Time
	err := connection.QueryRow(ctx, `select current_setting('server_version'), current_user, coalesce(nullif($1, ''), current_schema(), ''),
		clock_timestamp()`, schema).Scan(&x.Version, &x.User, &x.Schema, &now)
	if err != nil {
		return err
	}
	x.Ahead = time.Until(now)
	// A schema that is not there has no rights, and is made by whoever may make one.
	err = connection.QueryRow(ctx, `select coalesce((select has_schema_privilege(oid, 'CREATE') from pg_namespace where nspname = $1),
		has_database_privilege(current_database(), 'CREATE'))`, x.Schema).Scan(&x.MayCreate)
	if err != nil {
		return err
	}
	x.Tables = slices.Sorted(maps.Keys(neededColumns()))
	for _, table := range x.Tables {
		var there, allowed bool
		err := connection.QueryRow(ctx, `select count(*) > 0, coalesce(bool_and(
			(select bool_and(has_table_privilege(c.oid, privilege)) from unnest($3::text[]) privilege)), false)
			from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = $1 and c.relname = $2`,
			x.Schema, table, neededPrivileges(table)).Scan(&there, &allowed)
		switch {
		case err != nil:
			return err
		case !there:
			x.Missing = append(x.Missing, table)
		case !allowed:
			x.Forbidden = append(x.Forbidden, table)
		}
	}
	return nil
}
