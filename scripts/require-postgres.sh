#!/usr/bin/env bash
# require-postgres.sh makes sure that the programs of a PostgreSQL server and of the pooler PgBouncer exist (and ps, with which tests find a
# server's processes), and changes nothing when they do. With the argument "server", the server and psql are enough.
#
# What is missing is installed from Debian's own packages when this runs as root on Debian or Ubuntu; on any other machine it says what to
# install. No server is set up, enabled or left running: the tests start their own (package postgrestest).
set -euo pipefail

readonly only=${1:-all}

fail() {
	echo "require-postgres: $*" >&2
	exit 3
}

# has NAME: Debian keeps the server's programs out of PATH, one folder for each version, and PgBouncer in sbin.
has() {
	command -v "$1" >/dev/null || compgen -G "/usr/lib/postgresql/*/bin/$1" >/dev/null || [ -x "/usr/sbin/$1" ]
}

# needed lists the Debian packages that are missing.
needed() {
	{ has initdb && has postgres; } || echo postgresql
	has psql || echo postgresql-client
	[ "$only" != server ] || return 0
	has pgbouncer || echo pgbouncer
	has ps || echo procps
}

install_packages() {
	command -v apt-get >/dev/null || fail "missing: $*; install these programs of PostgreSQL and the system, then run this again"
	[ "$(id -u)" = 0 ] || fail "missing: $*; install them (sudo apt-get install $*), then run this again"
	echo "require-postgres: installing $*"
	# A package of Debian starts what it brings unless this file says no, and makes a cluster unless it is told not to.
	local policy=/usr/sbin/policy-rc.d clusters=/etc/postgresql-common/createcluster.conf
	if [ ! -e "$policy" ]; then
		printf '#!/bin/sh\nexit 101\n' >"$policy"
		chmod 755 "$policy"
		# shellcheck disable=SC2064 # the name is wanted as it is now
		trap "rm -f '$policy'" EXIT
	fi
	if [ ! -e "$clusters" ]; then
		mkdir -p "${clusters%/*}"
		echo 'create_main_cluster = false' >"$clusters"
	fi
	export DEBIAN_FRONTEND=noninteractive
	apt-get update -qq
	apt-get install -y -qq --no-install-recommends -o Dpkg::Options::=--force-confold "$@" >/dev/null
}

missing=$(needed)
[ -n "$missing" ] || exit 0
# shellcheck disable=SC2086 # one word a package
install_packages $missing
missing=$(needed)
[ -z "$missing" ] || fail "installed, and yet programs of ${missing//$'\n'/ and } are not found; see 'dpkg -L ${missing//$'\n'/ }'"
