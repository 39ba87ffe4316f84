#!/usr/bin/env bash
# check-actions.sh ACTIONLINT checks what .ci gives to others with that program: the GitHub Action, by a workflow that uses it.
# actionlint looks for actions below a project that has .github/workflows, so it gets one.
set -euo pipefail

cd "$(dirname "$0")/.."
readonly actionlint=${1:?usage: check-actions.sh ACTIONLINT}
project=$(mktemp -d)
trap 'rm -rf "$project"' EXIT
mkdir -p "$project/.git" "$project/.github/workflows" "$project/.ci"
cp -R .ci/github "$project/.ci/github"
cp .ci/github/example.yml "$project/.github/workflows/connector.yml"
cd "$project"
"$actionlint" .github/workflows/connector.yml
