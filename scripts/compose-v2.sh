#!/usr/bin/env bash
# compose-v2.sh makes Docker Compose 2 available as .cache/compose-2.40.3/docker-compose, for the tests that run compose/ with both versions, and
# prints that path. It is built from Go modules, which can be had where a release cannot: some minutes, once.
set -euo pipefail

cd "$(dirname "$0")/.."
readonly version=2.40.3
readonly folder=$PWD/.cache/compose-$version
readonly program=$folder/docker-compose

mkdir -p "$folder"
exec 9>"$folder/lock"
flock 9
if [ ! -x "$program" ]; then
	echo "compose-v2: building Docker Compose $version (some minutes, once)" >&2
	# Renamed into place: a build that is interrupted must not leave half a program.
	(cd scripts/compose-v2 && CGO_ENABLED=0 go build -mod=readonly -trimpath -ldflags "-s -w -X github.com/docker/compose/v2/internal.Version=v$version" \
		-o "$program.new" github.com/docker/compose/v2/cmd)
	mv "$program.new" "$program"
fi
"$program" version >&2
echo "$program"
