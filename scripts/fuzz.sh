#!/usr/bin/env bash
# fuzz.sh TIME runs every fuzz test of the module for TIME each, such as 30s or 2h. What it finds is kept below the package's testdata/fuzz.
set -euo pipefail

cd "$(dirname "$0")/.."
readonly time=${1:?usage: fuzz.sh TIME}
found=0

for package in $(go list ./...); do
	for test in $(go test -list '^Fuzz' "$package" | grep '^Fuzz' || true); do
		found=1
		echo "fuzz: $package $test for $time"
		# Making what was found small takes up most of a short run otherwise.
		go test -run '^$' -fuzz "^$test\$" -fuzztime "$time" -fuzzminimizetime 2s "$package"
	done
done
[ "$found" = 1 ] || { echo "fuzz: there are no fuzz tests" >&2; exit 1; }
