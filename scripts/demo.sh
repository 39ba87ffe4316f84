#!/usr/bin/env bash
# demo.sh reads the demonstration source into demo-data/ with nothing but the two programs in bin/, then shows the first rows of every stream.
set -euo pipefail

cd "$(dirname "$0")/.."
readonly folder=demo-data

bin/sync-sidecar run read --exec bin/source-demo --config '{}' --local-dir "$folder"

echo
find "$folder" -name '*.ndjson' | sort | while read -r file; do
	echo "$file: $(wc -l <"$file") rows, the first of them:"
	head -n 2 "$file" | cut -c1-160
done
