package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/postgres/server"
)

// A spec belongs to a version and does not change: a later failure is noted beside it.
const (
	saveSpecSQL = `
insert into @source_spec as s (package, version, specs, timestamp, error) values ($1, $2, $3::jsonb, now(), nullif($4, ''))
on conflict (package, version) do update
set specs = coalesce(excluded.specs, s.specs), timestamp = excluded.timestamp, error = excluded.error`

	saveCheckSQL = `
insert into @source_check (package, version, key, status, description, timestamp) values ($1, $2, $3, $4, nullif($5, ''), now())
on conflict (key) do update
set package = excluded.package, version = excluded.version, status = excluded.status, description = excluded.description,
    timestamp = excluded.timestamp`

	saveCatalogSQL = `
insert into @source_catalog as c (package, version, key, catalog, status, description, timestamp)
values ($1, $2, $3, $4::jsonb, $5, nullif($6, ''), now())
on conflict (package, version, key) do update
set catalog = coalesce(excluded.catalog, c.catalog), status = excluded.status, description = excluded.description, timestamp = excluded.timestamp`

	loadSpecSQL = `select specs::text from @source_spec where package = $1 and version = $2 and specs is not null`
)

// SaveResult records the outcome of spec, check or discover. A failure keeps the spec or the catalog that was found earlier.
func (j *Journal) SaveResult(ctx context.Context, result sidecar.Result) error {
	id := j.identity
	message := server.CleanText(result.Message)
	var payload *string
	if len(result.Payload) > 0 && result.Status == sidecar.StatusSuccess {
		text := string(server.CleanJSON(result.Payload))
		payload = &text
	}
	switch result.Command {
	case sidecar.CommandSpec:
		return j.exec(ctx, "save the spec", saveSpecSQL, id.Package, id.PackageVersion, payload, message)
	case sidecar.CommandCheck:
		return j.exec(ctx, "save the check", saveCheckSQL, id.Package, id.PackageVersion, id.StorageKey, string(result.Status), message)
	case sidecar.CommandDiscover:
		status := string(result.Status)
		return j.exec(ctx, "save the catalog", saveCatalogSQL, id.Package, id.PackageVersion, id.StorageKey, payload, status, message)
	default:
		return fmt.Errorf("save the result: %q has none; spec, check and discover have", result.Command)
	}
}

// LoadSpec returns the spec of the connector, as SaveResult saved it; nil when there is none.
func (j *Journal) LoadSpec(ctx context.Context) (json.RawMessage, error) {
	var spec string
	err := j.pool.QueryRow(ctx, j.sql(loadSpecSQL), j.identity.Package, j.identity.PackageVersion).Scan(&spec)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil, nil
	case err != nil:
		return nil, j.fail("load the spec", err)
	}
	return json.RawMessage(spec), nil
}
