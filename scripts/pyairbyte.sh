#!/usr/bin/env bash
# pyairbyte.sh installs PyAirbyte, a peer that `make bench-peers` measures, into .cache/pyairbyte, with every package pinned. Once, and again when
# scripts/bench/requirements.txt changes.
set -euo pipefail

cd "$(dirname "$0")/.."
readonly requirements=scripts/bench/requirements.txt
readonly venv=.cache/pyairbyte

! cmp -s "$requirements" "$venv/requirements.txt" || exit 0
for python in python3.11 python3.12 python3.10 python3; do
	if "$python" -c 'import sys, venv, ensurepip; sys.exit(not (3, 10) <= sys.version_info < (3, 13))' 2>/dev/null; then
		echo "pyairbyte: installing into $venv (some minutes)"
		rm -rf "$venv"
		"$python" -m venv "$venv"
		"$venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$requirements"
		# Copied last: it is the mark that the installation is whole.
		cp "$requirements" "$venv/requirements.txt"
		exit 0
	fi
done
echo "pyairbyte: this machine has no Python 3.10 to 3.12 with venv; install one, then run this again" >&2
exit 3
