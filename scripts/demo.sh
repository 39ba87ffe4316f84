#!/usr/bin/env bash
# demo.sh reads the demonstration source into demo-data/ with nothing but the two programs in bin/, twice: the second run finds only what is new.
set -euo pipefail

cd "$(dirname "$0")/.."
readonly folder=demo-data
rm -rf "$folder"

echo "== sync-sidecar run read --exec bin/source-demo --config '{\"count\":1000}' --local-dir $folder"
bin/sync-sidecar run read --exec bin/source-demo --config '{"count":1000}' --local-dir "$folder"

echo
echo "== the same again, after the source has got 100 more rows: only those are read"
bin/sync-sidecar run read --exec bin/source-demo --config '{"count":1100}' --local-dir "$folder"

echo
find "$folder" -name '*.ndjson' | sort | while read -r file; do
	echo "$file: $(wc -l <"$file") rows, the first of them:"
	head -n 1 "$file" | cut -c1-160
done
