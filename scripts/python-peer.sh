#!/usr/bin/env bash
# python-peer.sh NAME installs a peer that `make bench-peers` measures, pyairbyte or dlt, into .cache/NAME, with every package pinned. Once, and again
# when scripts/bench/NAME-requirements.txt changes.
set -euo pipefail

cd "$(dirname "$0")/.."
readonly name=${1:?usage: python-peer.sh NAME}
readonly requirements=scripts/bench/$name-requirements.txt
readonly venv=.cache/$name

! cmp -s "$requirements" "$venv/requirements.txt" || exit 0
for python in python3.11 python3.12 python3.10 python3; do
	if "$python" -c 'import sys, venv, ensurepip; sys.exit(not (3, 10) <= sys.version_info < (3, 13))' 2>/dev/null; then
		echo "$name: installing into $venv (some minutes)"
		rm -rf "$venv"
		"$python" -m venv "$venv"
		"$venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$requirements"
		# Copied last: it is the mark that the installation is whole.
		cp "$requirements" "$venv/requirements.txt"
		exit 0
	fi
done
echo "$name: this machine has no Python 3.10 to 3.12 with venv; install one, then run this again" >&2
exit 3
