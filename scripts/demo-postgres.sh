#!/usr/bin/env bash
# demo-postgres.sh reads the demonstration source straight into tables of a Postgres that it starts for that, twice, and shows what psql finds there.
# The server is of this demonstration alone, and ends with it.
set -euo pipefail

cd "$(dirname "$0")/.."
readonly config='{"count":1000}'
folder=$(mktemp -d)
chmod 755 "$folder"

# Debian keeps the server's programs out of PATH. A server does not run as root.
programs=$(command -v initdb >/dev/null && dirname "$(command -v initdb)" || compgen -G '/usr/lib/postgresql/*/bin' | tail -n 1)
as_server() {
	if [ "$(id -u)" = 0 ]; then
		setpriv --reuid=postgres --regid=postgres --init-groups env HOME="$folder" "$@"
	else
		"$@"
	fi
}
stop() {
	as_server "$programs/pg_ctl" --pgdata="$folder/data" --mode=immediate stop >/dev/null 2>&1 || true
	rm -rf "$folder"
}
trap stop EXIT
if [ "$(id -u)" = 0 ]; then
	chown postgres: "$folder"
fi
as_server "$programs/initdb" --pgdata="$folder/data" --auth=trust --username=demo --encoding=UTF8 --no-sync >/dev/null
as_server "$programs/pg_ctl" --pgdata="$folder/data" --log="$folder/log" --wait \
	--options="-c listen_addresses= -c unix_socket_directories=$folder" start >/dev/null

export DESTINATION_URL="postgres://demo@/postgres?host=$folder"
read_source() {
	echo "== DESTINATION_URL=postgres://… sync-sidecar run read --exec bin/source-demo --config '$1'"
	bin/sync-sidecar run read --exec bin/source-demo --config "$1" --sync-id demo
	echo
}
show() {
	echo "== psql -c '$1'"
	psql --no-psqlrc "$DESTINATION_URL" --command="$1"
}
read_source "$config"
show 'select id, customer_id, quantity, total, currency, updated_at from orders limit 3'
echo '== the same again, after the source has got 100 more rows: only those are read'
read_source '{"count":1100}'
show 'select count(*), count(distinct id) from orders'
