#!/usr/bin/env bash
# source-faker.sh makes Airbyte's official connector source-faker available, the real source of the tests, with every package pinned:
#
#   source-faker.sh image    as the image airbyte/source-faker:dev
#   source-faker.sh local    as the local program .cache/source-faker/bin/source-faker, for `run --exec`
#
# Both are built once and again when their recipe in scripts/source-faker/ changes. Without an argument both are made.
set -euo pipefail

cd "$(dirname "$0")/.."
readonly recipe=scripts/source-faker
readonly tag=airbyte/source-faker:dev
readonly venv=.cache/source-faker
readonly label=org.sync-sidecar.recipe

fail() {
	echo "source-faker: $*" >&2
	exit 3
}

build_image() {
	local digest
	digest=$(cat "$recipe"/* | sha256sum | cut -c1-16)
	[ "$(docker image inspect --format "{{index .Config.Labels \"$label\"}}" "$tag" 2>/dev/null)" != "$digest" ] || return 0
	scripts/base-images.sh
	scripts/build-image.sh "$tag" --label "$label=$digest" "$recipe"
}

# python_for_faker is the first Python on this machine that source-faker 7.2.1 and its pins accept, with venv.
python_for_faker() {
	local candidate
	for candidate in python3.11 python3.12 python3.10 python3; do
		if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(not (3, 10) <= sys.version_info < (3, 13))' 2>/dev/null; then
			echo "$candidate"
			return
		fi
	done
	return 1
}

build_local() {
	! cmp -s "$recipe/requirements.txt" "$venv/requirements.txt" || return 0
	local python
	if ! python=$(python_for_faker); then
		if ! command -v apt-get >/dev/null || [ "$(id -u)" != 0 ]; then
			fail "Python 3.10 to 3.12 with venv is missing; install python3-venv, then run this again"
		fi
		echo "source-faker: installing python3-venv"
		apt-get update -qq
		DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3-venv >/dev/null
		python=$(python_for_faker) || fail "this machine has no Python 3.10 to 3.12; install one, then run this again"
	fi
	echo "source-faker: installing into $venv (about a minute)"
	rm -rf "$venv"
	"$python" -m venv "$venv"
	"$venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$recipe/requirements.txt"
	# Copied last: it is the mark that the installation is whole.
	cp "$recipe/requirements.txt" "$venv/requirements.txt"
}

mkdir -p .cache
exec 9>.cache/source-faker.lock
flock 9
case "${1:-all}" in
image) build_image ;;
local) build_local ;;
all)
	build_image
	build_local
	;;
*) fail "unknown argument $1: image or local" ;;
esac
echo "source-faker: ready"
