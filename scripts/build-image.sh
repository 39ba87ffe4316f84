#!/usr/bin/env bash
# build-image.sh TAG [ARGUMENTS OF docker build…] builds an image and says so in one line; the build's own output is shown when it fails.
#
# Settings of this machine that a build needs to reach package registries are handed on as build arguments when they are set here.
set -euo pipefail

[ "$#" -ge 2 ] || { echo "usage: build-image.sh TAG ARGUMENTS… FOLDER" >&2; exit 2; }
tag=$1
shift

arguments=()
for name in HTTP_PROXY HTTPS_PROXY NO_PROXY GOPROXY GOSUMDB GONOSUMDB PIP_INDEX_URL; do
	# Without `=value` docker takes the value from the environment, so that it does not show in the list of processes.
	[ -z "${!name:-}" ] || arguments+=(--build-arg "$name")
done

output=$(mktemp)
trap 'rm -f "$output"' EXIT
started=$SECONDS
if ! docker build --force-rm "${arguments[@]}" --tag "$tag" "$@" >"$output" 2>&1; then
	cat "$output" >&2
	echo "build-image: $tag could not be built: the cause stands above" >&2
	exit 1
fi
size=$(docker image inspect --format '{{.Size}}' "$tag")
echo "build-image: $tag, $((size / 1000000)) MB, $((SECONDS - started)) s"
