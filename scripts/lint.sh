#!/usr/bin/env bash
# lint.sh VERSION checks format, go vet, golangci-lint of that version, that go.mod and go.sum are tidy, and the scripts: their syntax, and
# with shellcheck where it is installed.
# Every check runs, so that one run names everything there is to mend.
set -uo pipefail

cd "$(dirname "$0")/.." || exit
readonly version=${1:?usage: lint.sh VERSION}
failed=()

# check NAME COMMAND…
check() {
	local name=$1
	shift
	"$@" || failed+=("$name")
}

format() {
	local files
	files=$(gofmt -l cmd compose runner scripts sidecar) || return
	[ -z "$files" ] && return
	echo "lint: not formatted; run gofmt -w on:" >&2
	echo "$files" >&2
	return 1
}

# linter is a golangci-lint of exactly the asked version: the one in PATH, or one installed into .cache.
linter() {
	local found
	found=$(command -v golangci-lint) && "$found" version --short 2>/dev/null | grep -qx "v\?$version" && echo "$found" && return
	local bin=$PWD/.cache/golangci-lint-$version
	if [ ! -x "$bin/golangci-lint" ]; then
		echo "lint: installing golangci-lint $version (some minutes, once)" >&2
		GOBIN=$bin go install "github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v$version" >&2 || return
	fi
	echo "$bin/golangci-lint"
}

golangci() {
	local program
	program=$(linter) || return
	"$program" run ./...
}

scripts() {
	local script result=0
	for script in scripts/*.sh .ci/run; do
		bash -n "$script" || result=1
	done
	if command -v shellcheck >/dev/null; then
		shellcheck scripts/*.sh .ci/run || result=1
	fi
	return "$result"
}

check gofmt format
check "go vet" go vet ./...
check golangci-lint golangci
check "go mod tidy" go mod tidy -diff
check scripts scripts

if [ "${#failed[@]}" -gt 0 ]; then
	(
		IFS=,
		echo "lint: failed: ${failed[*]}" >&2
	)
	exit 1
fi
echo "lint: nothing to complain about"
