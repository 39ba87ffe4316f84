#!/bin/sh
# Makes a cluster with POSTGRES_USER, POSTGRES_PASSWORD and POSTGRES_DB on the first start, and serves it.
set -eu
data=/var/lib/postgresql/data
if [ ! -f "$data/PG_VERSION" ]; then
	printf '%s' "$POSTGRES_PASSWORD" >/tmp/password
	initdb --pgdata "$data" --username "$POSTGRES_USER" --pwfile /tmp/password --auth-local trust --auth-host scram-sha-256 >/dev/null
	rm /tmp/password
	echo 'host all all all scram-sha-256' >>"$data/pg_hba.conf"
	# As in the official image: while the database is made, the server listens on its socket only.
	pg_ctl --pgdata "$data" --options '-c listen_addresses=' --wait start >/dev/null
	createdb --host /var/run/postgresql --username "$POSTGRES_USER" "$POSTGRES_DB"
	pg_ctl --pgdata "$data" --wait stop >/dev/null
fi
exec postgres -D "$data" -c listen_addresses='*'
