#!/usr/bin/env bash
# lint.sh GOLANGCI CHECKLOCKS ACTIONLINT checks, with those versions of the linters: the format, go vet, what .golangci.yml asks for, that fields which a
# lock guards are only used under it, that go.mod and go.sum are tidy, and the scripts: their syntax, and with shellcheck where it is installed.
# Every check runs, so that one run names everything there is to mend.
set -uo pipefail

cd "$(dirname "$0")/.." || exit
readonly usage="usage: lint.sh GOLANGCI CHECKLOCKS ACTIONLINT"
readonly golangci_version=${1:?$usage} checklocks_version=${2:?$usage} actionlint_version=${3:?$usage}
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

# installed NAME VERSION PACKAGE is the path of a program of exactly that version in .cache, where it is installed when it is missing.
installed() {
	local bin=$PWD/.cache/$1-$2
	if [ ! -x "$bin/$1" ]; then
		echo "lint: installing $1 $2 (some minutes, once)" >&2
		GOBIN=$bin go install "$3@v$2" >&2 || return
	fi
	echo "$bin/$1"
}

# golangci runs the golangci-lint in PATH when that is of the asked version.
golangci() {
	local program
	program=$(command -v golangci-lint)
	if [ -z "$program" ] || ! "$program" version --short 2>/dev/null | grep -qx "v\?$golangci_version"; then
		program=$(installed golangci-lint "$golangci_version" github.com/golangci/golangci-lint/v2/cmd/golangci-lint) || return
	fi
	"$program" run ./...
}

# checklocks holds what "// +checklocks:mu" says of fields and functions; it is not asked to guess (-inferred). Tests may look at fields without their
# lock, once nothing else runs.
checklocks() {
	local program found
	program=$(installed checklocks "$checklocks_version" gvisor.dev/gvisor/tools/checklocks/cmd/checklocks) || return
	found=$(go vet -vettool="$program" -inferred=false ./... 2>&1 | grep -v '^#\|_test\.go:' | sort -u)
	[ -z "$found" ] && return
	echo "$found" >&2
	return 1
}

# actions checks what .ci gives to the CI of others.
actions() {
	local program
	program=$(installed actionlint "$actionlint_version" github.com/rhysd/actionlint/cmd/actionlint) || return
	scripts/check-actions.sh "$program"
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
check checklocks checklocks
check "go mod tidy" go mod tidy -diff
check actions actions
check scripts scripts

if [ "${#failed[@]}" -gt 0 ]; then
	(
		IFS=,
		echo "lint: failed: ${failed[*]}" >&2
	)
	exit 1
fi
echo "lint: nothing to complain about"
